-- app.normalize_spec
--
-- Why         reads the steps only if the spec has a member that may be a default, because reading
--             10,000 steps takes as long as inserting them
create or replace function app.normalize_spec(spec jsonb)
  returns jsonb
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  return case
    when normalize_spec.spec::text ~
      '"(steps|depends_on)": \[\]|"(input|priority|on_failure|collect)": (null|0)|"on_failure": "'
      then app.normalize_step(normalize_spec.spec, 0)
    else normalize_spec.spec
  end;
end
$$;

comment on function app.normalize_spec(jsonb) is
$$Returns the spec of a run without members that equal their default, to compare two specs.

An on_failure that is the default of the step's type counts as left out. Numbers are compared as
they are written: 1 and 1.0 differ.$$;
