"""The users of these tests: a directory, a dialplan, and an engine whose listener they register at."""

import hashlib

DOMAIN = "example.test"

DIRECTORY = """<include>
  <domain name="example.test">
    <params>
      <param name="dial-string" value="${sofia_contact(*/${dialed_user}@${dialed_domain})}"/>
    </params>
    <variables><variable name="user_context" value="inside"/></variables>
    <groups>
      <group name="sales">
        <users>
          <user id="1001" number-alias="2001">
            <params><param name="password" value="secret"/></params>
            <variables>
              <variable name="effective_caller_id_name" value="Alice"/>
              <variable name="effective_caller_id_number" value="1001"/>
              <variable name="toll_allow" value="local"/>
              <variable name="accountcode" value="A1001"/>
            </variables>
          </user>
          <user id="1002"><params><param name="a1-hash" value="%s"/></params></user>
          <user id="1003"><params><param name="vm-password" value="1"/></params></user>
          <user id="1004"><params><param name="password" value="secret"/><param name="sip-forbid-register" value="true"/></params></user>
        </users>
      </group>
    </groups>
    <user id="1005"><params><param name="dial-string" value="loopback/1,user/1005@example.test"/></params></user>
  </domain>
</include>
""" % hashlib.md5(b"1002:example.test:secret").hexdigest()

DIALPLAN = """<include>
  <context name="inside">
    <extension name="who"><condition field="destination_number" expression="^who$">
      <action application="answer"/>
      <action application="lua" data="who.lua"/>
    </condition></extension>
    <extension name="users"><condition field="destination_number" expression="^(10\\d\\d)$">
      <action application="bridge" data="user/$1@example.test"/>
    </condition></extension>
    <extension name="pickup"><condition field="destination_number" expression="^\\*8(.*)$">
      <action application="pickup" data="$1"/>
    </condition></extension>
  </context>
  <context name="default">
    <extension name="wait"><condition field="destination_number" expression="^wait$">
      <action application="answer"/><action application="sleep" data="8000"/>
    </condition></extension>
    <extension name="group"><condition field="destination_number" expression="^group$">
      <action application="set" data="call_timeout=8"/>
      <action application="bridge" data="user/1001@example.test,pickup/sales"/>
    </condition></extension>
  </context>
</include>
"""

WHO = """
local names = { "user_name", "domain_name", "user_context", "effective_caller_id_name", "effective_caller_id_number", "toll_allow", "accountcode",
  "sip_auth_username", "sip_authorized", "number_alias" }
local out = {}
for i, name in ipairs(names) do out[i] = name .. "=" .. tostring(session:getVariable(name)) end
out[#out + 1] = "context=" .. session:getVariable("context")
freeswitch.consoleLog("notice", "WHO " .. table.concat(out, " ") .. "\\n")
session:hangup()
"""


def start(engine, users=None, workers=1, address=None, start=True, **more):
    e = engine(start=False, slots=16, freeswitch_dir="freeswitch", workers=workers, numbers={"default_country": "1", "countries": ["1"]}, **more)
    e.config["sip"]["listen"][0]["users"] = dict({"ping_s": 0}, **(users or {}))
    if address:  # for what does not speak on loopback
        e.config["sip"]["listen"][0]["address"] = address
        e.config["media"]["addresses"] = [address]
    e.write_config()
    e.write("freeswitch/directory.xml", DIRECTORY)
    e.write("freeswitch/dialplan.xml", DIALPLAN)
    e.write("scripts/who.lua", WHO)
    if start:
        e.start()
    return e
