-- The ledger as Carillon 0.1.0 (schema 2) left it. Never changed: what a release wrote is what the next ones must read.
CREATE TABLE schema_version (version INTEGER NOT NULL PRIMARY KEY, applied_us BIGINT NOT NULL);
CREATE TABLE campaign (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, file TEXT, node TEXT, state TEXT NOT NULL DEFAULT 'idle', problem TEXT, max_attempts INTEGER NOT NULL DEFAULT 3, interrupted_after_us INTEGER NOT NULL DEFAULT 60000000, created_us INTEGER NOT NULL, started_us INTEGER, ended_us INTEGER);
CREATE TABLE lead (id INTEGER PRIMARY KEY, campaign INTEGER NOT NULL, number TEXT NOT NULL, zone TEXT, variables TEXT NOT NULL DEFAULT '{}', state TEXT NOT NULL DEFAULT 'pending', next_us INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0, history TEXT, disposition TEXT, attempt TEXT, claimed_by TEXT, updated_us INTEGER, UNIQUE (number, campaign));
CREATE TABLE attempt (id TEXT PRIMARY KEY, channel TEXT, campaign INTEGER, lead INTEGER, node TEXT NOT NULL, trunk TEXT, number TEXT NOT NULL, caller_id TEXT, failover_of INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL, claimed_us INTEGER NOT NULL, invite_us INTEGER, ring_us INTEGER, answer_us INTEGER, end_us INTEGER, sip_status INTEGER, cause TEXT, disposition TEXT, refused TEXT, billsec_ms INTEGER, pdd_ms INTEGER, packets_sent INTEGER, packets_received INTEGER, packets_lost INTEGER, packets_late INTEGER, jitter_us INTEGER, mos REAL, digits TEXT, error TEXT) WITHOUT ROWID;
CREATE INDEX lead_pending ON lead (campaign, next_us, id) WHERE state = 'pending';
CREATE INDEX lead_open ON lead (campaign, state) WHERE state IN ('claimed', 'dialling');
CREATE INDEX attempt_open ON attempt (node) WHERE state = 'claimed';
CREATE INDEX attempt_campaign ON attempt (campaign, claimed_us);
CREATE TABLE do_not_call (id INTEGER PRIMARY KEY AUTOINCREMENT, number TEXT NOT NULL, campaign TEXT NOT NULL DEFAULT '', reason TEXT, added_us INTEGER, UNIQUE (number, campaign));
ALTER TABLE attempt ADD COLUMN cost DOUBLE PRECISION;
INSERT INTO schema_version VALUES (1, 1790000000000000), (2, 1790000000000001);

INSERT INTO campaign (id, name, file, node, state, created_us) VALUES (1, 'spring', '/srv/spring.lua', 'carillon', 'stopped', 1790000000000000);
INSERT INTO lead (id, campaign, number, variables, state, next_us, tries, history, disposition) VALUES
  (1, 1, '15552000001', '{"name":"Ann 1"}', 'done', 1, 1, NULL, 'answered'),
  (2, 1, '15552000002', '{"name":"Ben 2"}', 'pending', 2, 1, 'USER_BUSY=1', 'busy'),
  (3, 1, '15552000003', '{"name":"Cleo 3"}', 'pending', 3, 0, NULL, NULL);
INSERT INTO attempt (id, channel, campaign, lead, node, trunk, number, caller_id, state, claimed_us, invite_us, ring_us, answer_us, end_us, sip_status, cause, disposition,
  billsec_ms, pdd_ms, packets_sent, packets_received, packets_lost, packets_late, jitter_us, mos, digits) VALUES
  ('019c4b1e-4c00-7000-8000-000000000001', '6c0e0001-0000-4000-8000-000000000001', 1, 1, 'carillon', 'acme', '15552000001', '15550100', 'done', 1790000001000000, 1790000001010000,
   1790000001060000, 1790000002000000, 1790000008000000, 200, 'NORMAL_CLEARING', 'answered', 6000, 50, 300, 300, 0, 0, 120, 4.38, '1'),
  ('019c4b1e-4c00-7000-8000-000000000002', '6c0e0001-0000-4000-8000-000000000002', 1, 2, 'carillon', 'acme', '15552000002', '15550100', 'done', 1790000001000000, 1790000001020000,
   NULL, NULL, 1790000001200000, 486, 'USER_BUSY', 'busy', 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
