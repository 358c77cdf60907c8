-- app.require_share_options
--
-- Errors      PT422 share_id_missing, visibility_unknown
create or replace function app.require_share_options(share_id uuid, visibility text)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  if require_share_options.share_id is null then
    perform app.fail(
      422,
      'share_id_missing',
      'share_id must be a UUID.',
      'Make a UUID, for example with crypto.randomUUID().'
    );
  end if;
  if require_share_options.visibility is null
    or require_share_options.visibility not in ('unlisted', 'public')
  then
    perform app.fail(
      422,
      'visibility_unknown',
      format('Unknown visibility "%s".', left(require_share_options.visibility, 50)),
      'Use unlisted or public.'
    );
  end if;
end
$$;

comment on function app.require_share_options(uuid, text) is
  'Refuses a share without an id, or with an unknown visibility.';
