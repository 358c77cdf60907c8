-- app.require_share_id
--
-- Errors      PT422 share_id_missing, visibility_unknown
-- Locks       the share_id (advisory): a repetition at the same moment waits here, and then finds what the first one made
create or replace function app.require_share_id(share_id uuid, visibility text)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  if require_share_id.share_id is null then
    perform app.fail(422, 'share_id_missing', 'share_id must be a UUID.', 'Make one with crypto.randomUUID().');
  end if;
  if require_share_id.visibility is null or require_share_id.visibility not in ('unlisted', 'public') then
    perform app.fail(
      422,
      'visibility_unknown',
      format('There is no visibility "%s".', left(require_share_id.visibility, 50)),
      'Use unlisted or public.'
    );
  end if;

  perform pg_advisory_xact_lock(hashtextextended(require_share_id.share_id::text, 0));
end
$$;

comment on function app.require_share_id(uuid, text) is 'Refuses what no share can have; from here on, this id is the caller''s alone.';
