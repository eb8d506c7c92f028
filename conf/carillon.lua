-- Carillon's configuration: a Lua table, run in an empty environment. Only env(NAME[, otherwise]) and include(FILE) exist here.
-- `carillon check FILE` says what is wrong with it, by line and key; docs/configuration.md lists every key with its default.
-- The CARILLON_ variables are how `./run demo` changes a few values without a file of its own.
return {
  name = env("CARILLON_NAME", "carillon"),             -- the shared segment is /dev/shm/carillon-NAME
  data_dir = env("CARILLON_DATA", "../.carillon/data"), -- ledger, spool, recordings; relative to this file's folder
  run_dir = env("CARILLON_RUN", "../.carillon/run"),    -- control.sock
  database = env("CARILLON_DATABASE", "sqlite"),       -- "sqlite" = data_dir/ledger.db; or "postgresql://user:password@host/database"
  workers = "auto",                                    -- one per core but one; each is pinned
  slots = 4000,                                        -- SIP calls of the whole engine

  numbers = {
    default_country = "1",
    countries = { "1" },                               -- E.164 prefixes that may be called; nothing else is
    emergency = { "112", "911", "999" },               -- never called
  },
  limits = { concurrent = 3000, max_call_s = 3600 },

  sip = {
    user_agent = "Carillon",
    listen = { { name = "external", address = "127.0.0.1", port = env("CARILLON_SIP_PORT", 5060), transports = { "udp", "tcp" } } },
    -- telephones of the directory's users register at a listener with `users` (docs/users.md):
    -- { name = "internal", address = "192.0.2.10", users = { domain = "example.com" } }
  },
  media = { addresses = { "127.0.0.1" }, port_first = env("CARILLON_RTP_FIRST", 16384), port_last = env("CARILLON_RTP_LAST", 32767) },

  trunks = {
    acme = {
      address = env("CARILLON_CARRIER", "127.0.0.1:5070"), -- host[:port]
      transport = "udp",
      codecs = { "PCMU", "PCMA" },
      caller_id = "15550100",
      cps = env("CARILLON_CPS", 50),
      concurrent = 500,
      -- user = "…", password = env("ACME_PASSWORD"), realm = …, headers = { ["X-Account"] = "7" },
      -- prefix = { strip = "1", add = "001" }, failover = { "backup" }, nat = false, early = "ignore",
      -- inbound = { script = "welcome.lua" } or { context = "public" },
    },
  },

  scripts = { dir = "scripts", budget_ms = 10000, memory_mb = 64 }, -- where scripts are looked up; CPU between two waits; memory of one script
  campaigns_dir = "campaigns",             -- `carillon campaign run NAME` reads NAME.lua here
  sounds_dir = "sounds",
  freeswitch_dir = "freeswitch",           -- dialplan, directory, phrases … in FreeSWITCH's XML
  event_socket = { port = env("CARILLON_EVENT_PORT", 8021) }, -- FreeSWITCH's, for programs that watch and steer; 0 = none
  log = { level = "info", file = env("CARILLON_LOG", "-") },
}
