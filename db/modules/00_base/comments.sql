-- Comments on the schemas, tables, columns and types of this module.

comment on schema public is
$$Plinth

The database is the API: tables under row level security, and functions. The description of a
function lists its parameters, its result and its errors; docs/errors.md explains the errors. An
origin number (000 to 004) names the document that a function comes from; docs/deviations.md lists
the differences.$$;
comment on schema app is
  'Internal tables and functions. Not exposed: only postgres has USAGE.';
comment on schema worker is
  'Every function that role worker may execute.';
comment on schema sidecar is
  'Every function that role sidecar may execute.';
comment on schema gate is
  'The function that PostgREST calls before each request, and the lookup of API keys behind it.';

comment on domain public."*/*" is
  'A document that a function returns and PostgREST sends unchanged. The function sets '
  'Content-Type.';

comment on table app.migrations is
  'Migrations that have run; node-pg-migrate adds the rows.';
comment on column app.migrations.hash is
  'SHA-256 of the file that ran. npm run db:migrate refuses a file that has changed since.';
comment on table app.applied_files is
  'Files of db/modules as npm run db:migrate last applied them, and the database in which it did: '
  'in a restored or copied database, it applies all files again.';

comment on table app.table_hints is
  'How the rows of a table of schema public change: the hint of app.require_table_right. Each '
  'access.sql writes the rows of its module, so change them there.';
comment on column app.table_hints.hint is
  'One or two sentences for clients, which name the functions that change the rows.';

comment on table app.settings is
  'Settings for operators: one row, one typed column per setting. Change them with '
  'update app.settings set …';
comment on column app.settings.client_address_header is
  'The request header, in lower case, that holds the client address. A proxy that clients cannot '
  'bypass must set it. Null: all anonymous clients share one rate limit. x-forwarded-for works '
  'where the nearest proxy appends to it.';
comment on column app.settings.requests_at_once is
  'How many requests may run at the same time; an IPv6 /48 network may run four times as many. '
  'While a third of them are anonymous reads that run, further anonymous reads wait. 0: no limit. '
  'Limit per user, owner of API keys or client address: 429 too_many_at_once.';

comment on table app.rate_limits is
  'One row per limited caller and bucket (generic cell rate algorithm); see app.take_rate.';
comment on column app.rate_limits.spent_until is
  'The time until which the requests of this caller are counted as spent.';

comment on table app.schedules is
  'Functions that run by the clock: by pg_cron where it is installed, otherwise by the worker.';
comment on column app.schedules.cron is
  'Minute, hour, day of month, month, day of week; UTC. Operators may change it.';
comment on column app.schedules.function is
  'A function without arguments that handles one batch and returns how many rows it handled; '
  'called until it returns 0.';
