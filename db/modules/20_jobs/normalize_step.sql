-- app.normalize_step
--
-- Why         accepts malformed steps, because app.parse_steps refuses them later
create or replace function app.normalize_step(step jsonb, level integer)
  returns jsonb
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_step jsonb := normalize_step.step;
begin
  -- app.parse_steps refuses deeper levels.
  if jsonb_typeof(v_step) <> 'object' or normalize_step.level > 100 then
    return v_step;
  end if;

  v_step := v_step - array(
    select d.key
    from (
      values
        ('steps', '[]'::jsonb),
        ('depends_on', '[]'),
        ('input', 'null'),
        ('priority', '0'),
        ('priority', 'null'),
        ('collect', 'null'),
        ('on_failure', 'null'),
        (
          'on_failure',
          (
            select to_jsonb(t.on_failure)
            from public.job_types as t
            where t.name = v_step ->> 'type'
          )
        )
    ) as d (key, value)
    where v_step -> d.key = d.value
  );
  if jsonb_typeof(v_step -> 'steps') = 'array' then
    v_step := jsonb_set(v_step, '{steps}', (
      select jsonb_agg(
        case jsonb_typeof(s.step)
          when 'object' then app.normalize_step(s.step, normalize_step.level + 1)
          else s.step
        end
        order by s.n
      )
      from jsonb_array_elements(v_step -> 'steps') with ordinality as s (step, n)
    ));
  end if;

  return v_step;
end
$$;

comment on function app.normalize_step(jsonb, integer) is
$$Returns a step, with the steps below it, without members that equal their default.

level: how many steps are above it.$$;
