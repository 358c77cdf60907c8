-- The seed brings a catalogue with which the studio can start.
begin;
select plan(12);

select results_eq(
  $$
    select id, price_minor > 0, currency, credits_per_period > 0
    from public.plans
    order by sort
  $$,
  $$
    values
      ('free', false, 'EGP', true), ('plus', true, 'EGP', true), ('pro', true, 'EGP', true)
  $$,
  'has three plans'
);
select is_empty(
  $$
    select b.id
    from public.plans as a
    join public.plans as b on b.sort > a.sort
    where a.price_minor >= b.price_minor
      or a.credits_per_period >= b.credits_per_period
      or a.images_per_day >= b.images_per_day
      or a.videos_per_day >= b.videos_per_day
      or a.bytes_stored >= b.bytes_stored
      or a.tasks_running >= b.tasks_running
      or a.tasks_open >= b.tasks_open
      or a.tasks_per_day >= b.tasks_per_day
      or a.dramas_per_day >= b.dramas_per_day
      or a.dramas_open >= b.dramas_open
  $$,
  'gives more for more money'
);
select is_empty(
  $$
    select p.id
    from public.plans as p
    cross join app.settings as s
    where p.dramas_per_day > s.dramas_per_day
  $$,
  'promises no more dramas than the setting of the server allows'
);
select is(
  (select count(*) from public.credit_packs where enabled), 3::bigint, 'has three credit packs'
);
select is_empty(
  $$
    select b.id
    from public.credit_packs as a
    join public.credit_packs as b on b.sort > a.sort
    where b.credits <= a.credits
      or b.price_minor::numeric / b.credits >= a.price_minor::numeric / a.credits
  $$,
  'makes a credit of a larger pack cheaper'
);
select ok(
  (
    select count(*) filter (where kind = 'image') >= 12
      and count(*) filter (where kind = 'analysis') >= 3
    from public.tools
    where enabled
  ),
  'has tools of both kinds'
);
select is_empty(
  $$
    select t.key, m.found[1]
    from public.tools as t
    cross join regexp_matches(t.prompt, '{{(.*?)}}', 'g') as m (found)
    where not coalesce(
      t.parameters -> 'properties' -> m.found[1] ?| array['enum', 'maxLength', 'maximum'], false
    )
  $$,
  'limits each variable of a prompt'
);
select is_empty(
  $$
    select t.key, p.name
    from public.tools as t
    cross join jsonb_object_keys(coalesce(t.parameters -> 'properties', '{}')) as p (name)
    where strpos(t.prompt, '{{' || p.name || '}}') = 0
  $$,
  'uses each parameter in the prompt'
);
select ok(
  (select count(*) >= 24 and count(distinct category) >= 4 from public.hairstyles where enabled),
  'has hairstyles of all lengths'
);
select ok((select count(*) >= 16 from public.colors where enabled), 'has colors');
select is_empty(
  $$
    select v.key
    from (
      select key, prompt, 'hairstyle' as parameter from public.hairstyles
      union all
      select key, prompt, 'color' from public.colors
    ) as v
    join public.tools as t
      on t.key = case v.parameter when 'color' then 'change_hair_color' else 'change_hairstyle' end
    where not app.is_property_value(
      t.parameters -> 'properties' -> v.parameter, to_jsonb(v.prompt)
    )
  $$,
  'has hairstyles and colors that their tools accept'
);
select is_empty(
  $$
    select relation, sort
    from (
      select 'tools' as relation, sort from public.tools
      union all select 'hairstyles', sort from public.hairstyles
      union all select 'colors', sort from public.colors
      union all select 'plans', sort from public.plans
      union all select 'credit_packs', sort from public.credit_packs
    ) as s
    group by relation, sort
    having count(*) > 1
  $$,
  'gives each row a place of its own'
);

select * from finish();
rollback;
