-- Keeps scripts, prompts and extra of episodes and scenes in private tables: Realtime sends what users may select, and select('*') fails otherwise.
set local lock_timeout = '5s';

-- Both at once, because a session that reads a table and then writes to it would meet the end of
-- this migration with a deadlock.
lock table public.episodes, public.scenes in access exclusive mode;

-- Until the files of db/modules are applied, these functions would name missing columns, and a
-- callback that raises fails its step. The engine keeps a result that meets this error, and the
-- worker hands it in again.
do $migration$
declare
  v_one record;
begin
  for v_one in
    select p.oid, p.prosrc
    from pg_catalog.pg_proc as p
    where p.pronamespace = 'app'::regnamespace
      and p.proname in (
        'apply_scenes', 'apply_scripts', 'build_drama', 'build_media_input', 'describe_asset',
        'estimate_drama', 'pick_fitting_outputs', 'save_drama_episodes'
      )
      and p.prosrc ~ '\m(script|video_prompt|extra)\M'
  loop
    execute replace(
      pg_get_functiondef(v_one.oid),
      v_one.prosrc,
      $body$
begin
  raise exception using
    errcode = 'lock_not_available',
    message = 'The database is being migrated.',
    hint = 'Repeat the request in a few seconds.';
end
$body$
    );
  end loop;
end
$migration$;

create table app.episode_details (
  episode_id uuid primary key,
  script text not null default '',
  extra json not null default '{}',
  constraint episode_details_script_is_short check (script::app.huge_text is not null),
  constraint episode_details_extra_fits check (extra::app.extra is not null),
  constraint episode_details_has_no_nul check (
    case
      when strpos(extra::text, '\u0000') = 0 then true
      else extra::text !~ '(^|[^\\])(\\\\)*\\u0000'
    end
  )
);
alter table app.episode_details enable row level security;

create table app.scene_details (
  scene_id uuid primary key,
  image_prompt text not null default '',
  video_prompt text not null default '',
  extra json not null default '{}',
  constraint scene_details_image_prompt_is_short check (image_prompt::app.long_text is not null),
  constraint scene_details_video_prompt_is_short check (video_prompt::app.long_text is not null),
  constraint scene_details_extra_fits check (extra::app.extra is not null),
  constraint scene_details_has_no_nul check (
    case
      when strpos(extra::text, '\u0000') = 0 then true
      else extra::text !~ '(^|[^\\])(\\\\)*\\u0000'
    end
  )
);
alter table app.scene_details enable row level security;

insert into app.episode_details (episode_id, script, extra)
select e.id, e.script, e.extra
from public.episodes as e
where e.script <> '' or e.extra::text <> '{}';

insert into app.scene_details (scene_id, image_prompt, video_prompt, extra)
select s.id, s.image_prompt, s.video_prompt, s.extra
from public.scenes as s
where s.image_prompt <> '' or s.video_prompt <> '' or s.extra::text <> '{}';

-- After the rows, because one check of all rows is faster than a check of each.
-- squawk-ignore adding-foreign-key-constraint, constraint-missing-not-valid
alter table app.episode_details
  add constraint episode_details_episode_id_fkey foreign key (episode_id)
    references public.episodes (id) on delete cascade;
-- squawk-ignore adding-foreign-key-constraint, constraint-missing-not-valid
alter table app.scene_details
  add constraint scene_details_scene_id_fkey foreign key (scene_id)
    references public.scenes (id) on delete cascade;

-- squawk-ignore ban-drop-column
alter table public.episodes drop column script, drop column extra;
-- squawk-ignore ban-drop-column
alter table public.scenes drop column image_prompt, drop column video_prompt, drop column extra;

analyze app.episode_details, app.scene_details;
