-- app.require_drama_fits
--
-- Errors      PT400 document_too_deep, PT413 drama_too_large, PT422 drama_invalid
create or replace function app.require_drama_fits(drama json)
  returns void
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_max_bytes constant integer := app.get_domain_limit('app.drama_document');
  v_fault text;
begin
  -- An eighth more than a stored drama may have: a client may send more white space than we store.
  if octet_length(require_drama_fits.drama::text) > v_max_bytes + v_max_bytes / 8 then
    perform app.fail(
      413,
      'drama_too_large',
      format('The drama is larger than %s MiB.', v_max_bytes / 1048576),
      'Store large texts elsewhere, and put their URLs into the drama.'
    );
  end if;

  perform app.require_json_depth(require_drama_fits.drama);
  v_fault := coalesce(
    app.find_drama_fault(require_drama_fits.drama),
    app.find_drama_conflict(require_drama_fits.drama)
  );
  if v_fault is not null then
    perform app.fail(
      422,
      'drama_invalid',
      format('Invalid drama: %s.', v_fault),
      'Correct the field; docs/drama.schema.json describes a drama.'
    );
  end if;
end
$$;

comment on function app.require_drama_fits(json) is
  'Refuses a document that is not a drama, and says why; 400 document_too_deep, 413 '
  'drama_too_large, 422 drama_invalid.';
