-- ops.warnings
--
-- Called by   operators, as postgres; npm run db:check; worker.list_warnings,
--             sidecar.list_warnings
create or replace view ops.warnings
  with (security_invoker = on)
as
select w.name, w.problem, w.remedy
from app.settings as s
cross join lateral (
  values
    (
      'client_address_unknown',
      s.client_address_header is null,
      'app.settings.client_address_header is null, so all anonymous callers share their limits: '
      'one of them can stop the others.',
      'Name the header in which your proxy puts the address of the client: docs/operations.md, '
      '"The client''s address".'
    ),
    (
      'requests_unlimited',
      s.requests_at_once = 0,
      'app.settings.requests_at_once is 0, so one caller can hold every connection of the API.',
      'Set requests_at_once to 6 again after a load test.'
    )
) as w (name, is_true, problem, remedy)
where w.is_true;

comment on view ops.warnings is
  'Settings that are unsafe for a deployment, each with the next step. npm start sets them for '
  'local development.';

revoke all on ops.warnings from anon, authenticated, service_role;
