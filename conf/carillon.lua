-- Carillon's configuration: a Lua table, run in an empty environment. Only env(NAME[, otherwise]) and include(FILE) exist here.
-- `carillon check FILE` says what is wrong with it, by line and key; docs/configuration.md lists every key.
return {
  name = "carillon",                       -- the shared segment is /dev/shm/carillon-NAME
  data_dir = env("CARILLON_DATA", "data"), -- ledger, spool, recordings; relative to this file's folder
  database = "sqlite",                     -- "sqlite" = data_dir/ledger.db; or "postgresql://user:password@host/database"
  run_dir = env("CARILLON_RUN", "run"),    -- control.sock
  workers = "auto",                        -- one per core but one; each is pinned
  slots = 4000,                            -- calls of the whole engine

  numbers = {
    default_country = "1",
    countries = { "1" },                   -- E.164 prefixes that may be called; nothing else is
    emergency = { "112", "911", "999" },   -- never called
  },
  limits = { concurrent = 3000, max_call_s = 3600 },

  sip = {
    user_agent = "Carillon",
    listen = { { name = "external", address = "127.0.0.1", port = 5060, transports = { "udp", "tcp" } } },
  },
  media = { addresses = { "127.0.0.1" }, port_first = 16384, port_last = 32767 },

  trunks = {
    acme = {
      address = "127.0.0.1:5070",          -- host[:port]
      transport = "udp",
      codecs = { "PCMU", "PCMA" },
      caller_id = "15550100",
      cps = 50,
      concurrent = 500,
      -- user = "…", password = env("ACME_PASSWORD"), realm = …, headers = { ["X-Account"] = "7" },
      -- prefix = { strip = "+", add = "00" }, inbound = { script = "welcome.lua" } or { context = "public" }, nat = false, early = "ignore",
    },
  },

  scripts = { dir = "scripts", budget_ms = 200, memory_mb = 64 }, -- where scripts are looked up; CPU per slice; memory per script
  sounds_dir = "sounds",
  freeswitch_dir = "freeswitch",           -- dialplan, directory, phrases … in FreeSWITCH's XML
  log = { level = "info" },
}
