-- worker.list_warnings, sidecar.list_warnings
--
-- Called by   worker and sidecar when they start, for their logs
create or replace function worker.list_warnings()
  returns table (name text, problem text, remedy text)
  language plpgsql
  stable
  security definer
  set search_path = ''
as $$
begin
  return query select w.name, w.problem, w.remedy from ops.warnings as w;
end
$$;

comment on function worker.list_warnings() is
  'Returns the rows of ops.warnings: settings that are unsafe for a deployment.';

create or replace function sidecar.list_warnings()
  returns table (name text, problem text, remedy text)
  language plpgsql
  stable
  security definer
  set search_path = ''
as $$
begin
  return query select w.name, w.problem, w.remedy from ops.warnings as w;
end
$$;

comment on function sidecar.list_warnings() is
  'Returns the rows of ops.warnings: settings that are unsafe for a deployment.';

grant execute on function worker.list_warnings() to worker;
grant execute on function sidecar.list_warnings() to sidecar;
