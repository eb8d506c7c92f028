// modesl, unchanged: connect, api, bgapi with its job, events, a call to its end.
const esl = require('modesl');
setTimeout(() => process.exit(1), 8000);
const c = new esl.Connection('127.0.0.1', +process.argv[2], 'ClueCon', () => {
  c.api('echo hi', (r) => {
    console.log('api', r.getBody());
    c.subscribe(['CHANNEL_HANGUP_COMPLETE', 'BACKGROUND_JOB'], () => {
      c.bgapi('echo later', (job) => {
        console.log('job', job.getBody() === 'later');
        c.api('originate null/x &park()', (o) => {
          const call = o.getBody().split(' ')[1].trim();
          c.on('esl::event::CHANNEL_HANGUP_COMPLETE::' + call, (e) => {
            console.log('over', e.getHeader('Hangup-Cause') === 'USER_BUSY');
            c.disconnect();
            setTimeout(() => process.exit(0), 100);
          });
          c.api('uuid_kill ' + call + ' USER_BUSY', () => {});
        });
      });
    });
  });
});
