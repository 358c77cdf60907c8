-- app.require_package_size
--
-- Errors      PT413 package_too_large
create or replace function app.require_package_size(bytes bigint)
  returns void
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  if require_package_size.bytes > app.get_share_limit('package_bytes') then
    perform app.fail(
      413,
      'package_too_large',
      format(
        'A shared package may have at most %s MiB.',
        trim_scale(round(app.get_share_limit('package_bytes') / 1048576.0, 2))
      ),
      'Share less at once.'
    );
  end if;
end
$$;

comment on function app.require_package_size(bigint) is
  'Refuses a package that has more bytes than a share may have. Null passes.';
