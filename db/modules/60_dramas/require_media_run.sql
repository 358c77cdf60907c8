-- app.require_media_run
--
-- Errors      PT409 idempotency_key_taken
-- Why         compares target and kind, because a run of an older release has no hash of its
--             request. Refuses a closed run, because a drama that was deleted and saved again with
--             the same ids is another drama
create or replace function app.require_media_run(run_id bigint, target_id uuid, kind text)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  if not exists (
    select
    from public.jobs as j
    join app.runs as r on r.id = j.root_id and not r.is_closed
    where j.id = require_media_run.run_id
      and j.input @> jsonb_build_object(
        'target_id', require_media_run.target_id, 'kind', require_media_run.kind
      )
  ) then
    perform app.fail(
      409,
      'idempotency_key_taken',
      'An earlier request sent this idempotency key for another image or video, or for a '
        'deleted drama.',
      'Send a new key for each image or video.'
    );
  end if;
end
$$;

comment on function app.require_media_run(bigint, uuid, text) is
  'Refuses a run that does not make this portrait, image or video: 409 idempotency_key_taken.';
