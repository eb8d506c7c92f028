-- lua.conf's XML handler: a context and a domain that are in no file.
local section = XML_REQUEST["section"]
if section == "dialplan" and params:getHeader("Hunt-Context") == "made" then
  local number = params:getHeader("Hunt-Destination-Number")
  XML_STRING = ([[<document type="freeswitch/xml"><section name="dialplan"><context name="made">
    <extension name="x"><condition field="destination_number" expression="^(.*)$">
      <action application="set" data="made_for=%s/$1"/><action application="answer"/><action application="park"/>
    </condition></extension></context></section></document>]]):format(number)
elseif section == "directory" and params:getHeader("domain") == "made.test" then
  local user = params:getHeader("user")
  if user == "9" then XML_STRING = "<document><section" return end
  if user == "8" then XML_STRING = "" return end
  XML_STRING = ([[<document type="freeswitch/xml"><section name="directory"><domain name="made.test"><user id="%s">
    <params><param name="dial-string" value="null/%s"/></params><variables><variable name="tag" value="%s %s %s"/></variables></user></domain></section></document>]])
    :format(user, user, XML_REQUEST["tag_name"], XML_REQUEST["key_name"], XML_REQUEST["key_value"])
end
