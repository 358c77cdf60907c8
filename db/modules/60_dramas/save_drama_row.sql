-- app.save_drama_row
--
-- Writes      dramas, drama_extras
-- Errors      PT404 drama_not_found, PT409 drama_changed, external_id_taken, storage_used_up
-- Locks       the drama
create or replace function app.save_drama_row(drama json, owner_id uuid)
  returns uuid
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_new record;
  v_old public.dramas;
begin
  select
    coalesce(n.id, gen_random_uuid()) as id,
    n.external_id,
    coalesce(n.title, '') as title,
    coalesce(n.premise, '') as premise,
    coalesce(n.logline, '') as logline,
    coalesce(n.genre, '') as genre,
    coalesce(n.language, '') as language,
    coalesce(n.style, '') as style,
    coalesce(n.model, '') as model,
    n.cover_url,
    coalesce(n.extra, '{}') as extra,
    -- Only service_role imports dramas with their age. For all others, the field is ignored.
    case
      when auth.role() = 'service_role' and app.is_time(n.created_at)
        then least(n.created_at::timestamptz, app.now())
      else app.now()
    end as created_at,
    n.updated_at,
    n.id is null or n.updated_at is null as may_be_new
  into v_new
  from json_to_record(save_drama_row.drama) as n (
    id uuid, external_id text, title text, premise text, logline text, genre text, language text,
    style text, model text, cover_url text, extra json, created_at text,
    updated_at timestamptz
  );

  insert into public.dramas (
    id, owner_id, external_id, title, premise, logline, genre, language, style, model, cover_url,
    created_at
  )
  select
    v_new.id, save_drama_row.owner_id, v_new.external_id, v_new.title, v_new.premise, v_new.logline,
    v_new.genre, v_new.language, v_new.style, v_new.model, v_new.cover_url,
    v_new.created_at
  -- A drama that was read and then deleted is not inserted again.
  where v_new.may_be_new
  on conflict do nothing;
  if found then
    perform app.save_drama_extra(v_new.id, v_new.extra);
    -- Refuse a new drama before its parts are stored: a refused request counts against no limit.
    perform app.require_storage(save_drama_row.owner_id, 1);
    return v_new.id;
  end if;

  -- Lock the stored row first; judge it in later statements.
  select d.* into v_old
  from public.dramas as d
  where d.id = v_new.id
  for no key update;
  if v_old.owner_id <> save_drama_row.owner_id then
    perform app.fail(
      404,
      'drama_not_found',
      'Drama not found, or it refers to a character, episode or scene of another drama.',
      'Check the ids; leave out the ids of new parts.'
    );
  end if;
  if exists (
    select
    from public.dramas as d
    where d.owner_id = save_drama_row.owner_id
      and d.external_id = v_new.external_id
      and d.id <> v_new.id
  ) then
    perform app.fail(
      409,
      'external_id_taken',
      'Another drama of this owner has this external_id.',
      'Use another external_id or null, or save the drama that has it.'
    );
  end if;
  if v_old.id is not null and v_new.updated_at is null then
    perform app.fail(
      409,
      'drama_changed',
      'The drama exists, and updated_at is missing. updated_at says which state you changed.',
      'Send updated_at as get_drama_complete returned it.'
    );
  end if;
  if v_old.id is null then
    perform app.fail(
      409,
      'drama_changed',
      'The drama was deleted or never existed, but updated_at was sent.',
      'To save it as a new drama, leave out updated_at.'
    );
  end if;
  if v_new.updated_at is distinct from v_old.updated_at then
    perform app.fail(
      409,
      'drama_changed',
      'The drama has changed since it was read.',
      'Read the drama again with get_drama_complete, and repeat the change.'
    );
  end if;

  update public.dramas as d
  set
    external_id = v_new.external_id,
    title = v_new.title,
    premise = v_new.premise,
    logline = v_new.logline,
    genre = v_new.genre,
    language = v_new.language,
    style = v_new.style,
    model = v_new.model,
    cover_url = v_new.cover_url
  where d.id = v_new.id
    and (
      d.external_id, d.title, d.premise, d.logline, d.genre, d.language, d.style, d.model,
      d.cover_url, app.find_drama_extra(d.id)::text
    ) is distinct from (
      v_new.external_id, v_new.title, v_new.premise, v_new.logline, v_new.genre, v_new.language,
      v_new.style, v_new.model, v_new.cover_url, v_new.extra::text
    );
  if found then
    perform app.save_drama_extra(v_new.id, v_new.extra);
  end if;

  return v_new.id;
end
$$;

comment on function app.save_drama_row(json, uuid) is
  'Inserts a drama, or locks it and updates the fields that differ; returns its id.';
