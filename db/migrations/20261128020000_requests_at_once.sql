-- One caller with many slow requests held every connection of PostgREST's pool: limit the requests
-- of a caller that run at the same time.
set local lock_timeout = '5s';

alter table app.settings
  add column requests_at_once integer not null default 6
    constraint settings_requests_at_once_is_not_negative check (requests_at_once >= 0);
