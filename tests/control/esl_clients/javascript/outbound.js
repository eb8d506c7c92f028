// modesl's server: answers one call, runs an application, hangs up.
const esl = require('modesl');
const server = new esl.Server({ port: +process.argv[2], host: '127.0.0.1', myevents: true }, () => console.log('ready'));
server.on('connection::ready', (c, id) => {
  c.execute('set', 'colour=blue', (e) => {
    console.log('variable', e.getHeader('variable_colour') === 'blue');
    c.execute('hangup', 'CALL_REJECTED');
  });
});
