-- app.tg__check_edit
--
-- Writes      dramas.updated_at
-- Errors      PT409 drama_changed, PT422 drama_invalid
-- Locks       the drama, without waiting, because this transaction has locked the row, and a
--             transaction that has locked the drama may wait for the row
create or replace function app.tg__check_edit()
  returns trigger
  language plpgsql
  volatile
  security definer
  set search_path = ''
as $$
declare
  v_wanted text := nullif(current_setting('request.headers', true), '')::json ->> 'if-match';
  v_updated_at timestamptz;
  v_field record;
begin
  select f.key, f.form into v_field
  from app.list_drama_fields() as f
  where f.kind = tg_argv[0]
    and f.key in ('title', 'summary', 'text')
    and not app.has_form(to_json(new) -> f.key, f.form)
  limit 1;
  if found then
    perform app.fail(
      422,
      'drama_invalid',
      format('"%s" must be %s.', v_field.key, app.describe_form(v_field.form)),
      'Send a text of that length.'
    );
  end if;

  begin
    select d.updated_at into v_updated_at
    from public.dramas as d
    where d.id = old.drama_id
    for no key update nowait;
  exception
    when lock_not_available then
      perform app.fail(
        409,
        'drama_changed',
        'Another request or a run is writing to the drama at the moment.',
        'Repeat the request.'
      );
  end;
  if v_wanted <> '*'
    and strpos(v_wanted, '"' || app.format_drama_tag(v_updated_at) || '"') = 0
  then
    perform app.fail(
      409,
      'drama_changed',
      'The drama has changed since it was read.',
      'Read the drama again with get_drama_complete, and repeat the change.'
    );
  end if;

  -- Trigger _100_touch_updated_at on dramas sets the time.
  update public.dramas as d
  set updated_at = d.updated_at
  where d.id = old.drama_id
  returning d.updated_at into v_updated_at;
  perform set_config(
    'response.headers',
    (
      -- gate.pre_request may have set a header. An edit of several dramas sends the last tag.
      coalesce(
        (
          select jsonb_agg(h.header)
          from jsonb_array_elements(
            nullif(current_setting('response.headers', true), '')::jsonb
          ) as h (header)
          where not h.header ? 'ETag'
        ),
        '[]'
      ) || jsonb_build_object('ETag', format('"%s"', app.format_drama_tag(v_updated_at)))
    )::text,
    true
  );

  return new;
end
$$;

comment on function app.tg__check_edit() is
$$Checks an edited row of a drama as save_drama_complete checks the document, raises the version of
the drama, and sends its new ETag.

If-Match: the ETag of the drama; an edit of a drama that has changed is refused. The argument of the
trigger is the kind of the row, as app.list_drama_fields names it.$$;
