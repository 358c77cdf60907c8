-- app.require_drama_size
--
-- Writes      drama_sizes
-- Errors      PT409 storage_used_up, PT413 drama_too_large
-- Locks       the caller has locked the drama, has packed it, and has called app.take_rate, whose
--             lock orders the writes of a caller
create or replace function app.require_drama_size(drama_id uuid, owner_id uuid)
  returns app.drama_packages
  language plpgsql
  volatile
  set search_path = ''
as $$
declare
  v_max_bytes constant integer := app.get_domain_limit('app.drama_document');
  v_package app.drama_packages;
  v_bytes bigint;
  v_growth bigint;
begin
  select p.* into v_package
  from app.drama_packages as p
  where p.drama_id = require_drama_size.drama_id;
  -- A client must be able to save every drama that it can read.
  v_bytes := octet_length(v_package.package::text)::bigint;
  if v_bytes > v_max_bytes then
    perform app.fail(
      413,
      'drama_too_large',
      format('The drama is larger than %s MiB.', v_max_bytes / 1048576),
      'Store large texts elsewhere, and put their URLs into the drama.'
    );
  end if;
  v_growth := app.record_drama_size(
    require_drama_size.drama_id, require_drama_size.owner_id, v_bytes
  );
  -- A drama that does not grow is always stored, even over the limit of the plan.
  if v_growth > 0 then
    perform app.require_storage(require_drama_size.owner_id, v_growth, is_counted => true);
  end if;

  return v_package;
end
$$;

comment on function app.require_drama_size(uuid, uuid) is
  'Refuses a drama whose stored document is too large for the API or for the plan of its owner; '
  'otherwise records its size, and returns the document.';
