-- app.pass_export_row
--
-- Errors      PT413 export_too_large
create or replace function app.pass_export_row(
  "row" json,
  bytes bigint,
  max_bytes bigint,
  until timestamptz
)
  returns json
  language plpgsql
  stable
  set search_path = ''
as $$
begin
  if pass_export_row.bytes > pass_export_row.max_bytes or app.clock() > pass_export_row.until then
    perform app.fail(
      413,
      'export_too_large',
      'Your data are too large to export in one answer.',
      'Delete what you no longer need, or ask the operator of this server for the export.'
    );
  end if;

  return pass_export_row."row";
end
$$;

comment on function app.pass_export_row(json, bigint, bigint, timestamptz) is
$$Returns a row of an export, unless the export has become too large or takes too long.

bytes: those of the part so far, this row included. max_bytes, until: see app.export_user_data.
413 export_too_large.$$;
