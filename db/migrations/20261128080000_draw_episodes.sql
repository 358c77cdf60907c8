-- The texts of a drama do not wait for its portraits: a step of its own starts the images of an episode.
set local lock_timeout = '5s';

-- The seed adds the type to new databases. Here, so that a worker never meets a database that lacks it.
insert into public.job_types (
  name, description, has_handler, on_failure, max_failures, backoff, backoff_max, timeout
)
select
  'draw_episode', 'Starts the images and videos of an episode; calls no provider.',
  true, 'fail_run', 5, '2 s', '5 min', '1 min'
where exists (select from public.job_types as t where t.name = 'write_scene')
on conflict on constraint job_types_pkey do nothing;

update public.job_types as t
set version = 2
where t.name in ('write_cast', 'write_script', 'write_scene') and t.version = 1;
