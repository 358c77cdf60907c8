-- The two sides of a list: as a signed-in user under RLS, and the same index scan without RLS. The
-- functions bench_page_… read the list as PostgREST does, with JSON in the same statement. The
-- functions bench_scan_… read only the rows. Each function loops inside Postgres, because a round
-- trip takes longer than the list. Each function keeps its plan, because PostgREST keeps plans. The
-- side without RLS must scan the index, whatever the statistics say.
do $do$
begin
  execute (
    select string_agg(
      format(
        $function$
          create function public.bench_%s(times integer, user_id uuid default null)
            returns void
            language plpgsql
            volatile
            set plan_cache_mode = force_generic_plan
            %s
          as $$
          begin
            for i in 1 .. times loop
              perform %s
              from (
                select
                  t.id, t.correlation_id, t.user_id, t.mandate, t.status, t.max_ticks, t.tick,
                  t.result, t.error, t.created_at, t.updated_at, t.usage, t.run_id
                from public.tasks as t
                %s
                order by t.created_at desc, t.id desc
                limit 20
              ) as p;
            end loop;
          end
          $$;
        $function$,
        w.what || '_' || h.how, h.settings, w.reads, h.filter
      ),
      ''
    )
    from (values ('page', 'json_agg(p)'), ('scan', 'p.id')) as w (what, reads)
    cross join (
      values
        ('own', '', ''),
        (
          'without_rls',
          'set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off',
          'where t.user_id = $2'
        )
    ) as h (how, settings, filter)
  );
end
$do$;

create function public.bench_call_list_tasks(times integer)
  returns void
  language plpgsql
  volatile
as $$
begin
  for i in 1 .. times loop
    perform public.list_tasks(20);
  end loop;
end
$$;

-- Inserts finished tasks with the numbers from_n to to_n. The users alternate, so the tasks of one
-- user are far apart.
create function public.bench_insert_tasks(from_n integer, to_n integer, user_ids uuid[])
  returns void
  language sql
  volatile
begin atomic
  insert into public.tasks (
    correlation_id, user_id, mandate, status, max_ticks, tick, result, created_at, updated_at
  )
  select
    n::text, user_ids[1 + n % cardinality(user_ids)],
    'Plan the garden of a lighthouse, number ' || n || ': what grows in salt and wind?',
    'completed', 50, 3, jsonb_build_object('text', repeat('Thrift and sea kale. ', 15)),
    at, at
  from generate_series(from_n, to_n) as n
  cross join lateral (select now() - make_interval(secs => 2000000 - n) as at) as t;
end;
