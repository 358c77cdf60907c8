-- app.settings refuses values that would break what they tune.
begin;
select plan(59);

create temporary table refused (constraint_name text, change text);
insert into refused
values
  ('settings_all_images_per_day_is_not_negative', 'all_images_per_day = -1'),
  ('settings_all_videos_per_day_is_not_negative', 'all_videos_per_day = -1'),
  ('settings_anonymous_bytes_max_is_positive', 'anonymous_bytes_max = 0'),
  ('settings_api_key_writes_per_minute_is_positive', 'api_key_writes_per_minute = 0'),
  ('settings_asset_bytes_max_is_positive', 'asset_bytes_max = 0'),
  ('settings_asset_grace_is_long_enough', $$asset_grace = '9 minutes 59 seconds'$$),
  ('settings_asset_max_bytes_is_positive', 'asset_max_bytes = 0'),
  ('settings_asset_max_pixels_is_positive', 'asset_max_pixels = 0'),
  ('settings_asset_uploads_per_minute_is_positive', 'asset_uploads_per_minute = 0'),
  ('settings_client_address_header_is_lower_case', $$client_address_header = 'X-Real-IP'$$),
  ('settings_drama_assets_per_day_is_positive', 'drama_assets_per_day = 0'),
  ('settings_drama_writes_per_minute_is_positive', 'drama_writes_per_minute = 0'),
  ('settings_dramas_per_day_is_positive', 'dramas_per_day = 0'),
  ('settings_export_max_bytes_is_possible', 'export_max_bytes = 0'),
  ('settings_export_max_bytes_is_possible', 'export_max_bytes = 268435457'),
  ('settings_exports_at_once_is_possible', 'exports_at_once = 0'),
  ('settings_exports_at_once_is_possible', 'exports_at_once = 101'),
  ('settings_exports_per_day_is_positive', 'exports_per_day = 0'),
  ('settings_cache_ttl_is_possible', $$cache_ttl = '-1 s'$$),
  ('settings_cache_ttl_is_possible', $$cache_ttl = '3651 days'$$),
  ('settings_generation_file_grace_is_long_enough', $$generation_file_grace = '599 s'$$),
  ('settings_generation_key_retention_is_long_enough', $$generation_key_retention = '59 min'$$),
  ('settings_generation_keys_per_day_is_positive', 'generation_keys_per_day = 0'),
  ('settings_generations_open_is_not_negative', 'generations_open = -1'),
  ('settings_generations_per_day_is_positive', 'generations_per_day = 0'),
  ('settings_notification_retention_is_positive', $$notification_retention = '0'$$),
  ('settings_original_max_bytes_is_positive', 'original_max_bytes = 0'),
  ('settings_storage_url_is_http', $$storage_url = 'https://example.com/'$$),
  ('settings_storage_url_is_http', $$storage_url = 'https://example.com/?x'$$),
  ('settings_upload_retention_is_long_enough', $$upload_retention = '59 min'$$),
  ('settings_originals_per_day_is_positive', 'originals_per_day = 0'),
  ('settings_original_bytes_per_day_is_possible', 'original_bytes_per_day = 1048575'),
  ('settings_is_one_row', 'id = false'),
  ('settings_job_lease_is_long_enough', $$job_lease = '2999 ms'$$),
  ('settings_job_retention_is_positive', $$job_retention = '0'$$),
  ('settings_job_retries_per_hour_is_positive', 'job_retries_per_hour = 0'),
  ('settings_public_row_bytes_max_is_positive', 'public_row_bytes_max = 0'),
  ('settings_lane_hold_max_is_not_negative', $$lane_hold_max = '-1 s'$$),
  ('settings_public_shares_max_is_not_negative', 'public_shares_max = -1'),
  ('settings_requests_at_once_is_not_negative', 'requests_at_once = -1'),
  ('settings_run_steps_max_is_positive', 'run_steps_max = 0'),
  ('settings_share_base_url_is_http', $$share_base_url = 'https://example.com/'$$),
  ('settings_share_base_url_is_http', $$share_base_url = 'example.com'$$),
  ('settings_share_base_url_is_http', $$share_base_url = 'https://' || repeat('x', 493)$$),
  ('settings_share_writes_per_minute_is_positive', 'share_writes_per_minute = 0'),
  ('settings_task_answer_deadline_is_possible', $$task_answer_deadline = '0'$$),
  ('settings_task_answer_deadline_is_possible', $$task_answer_deadline = '366 days'$$),
  ('settings_task_retention_is_positive', $$task_retention = '0'$$),
  ('settings_credit_hold_max_is_positive', $$credit_hold_max = '0'$$),
  ('settings_credit_hold_retention_is_positive', $$credit_hold_retention = '0'$$),
  ('settings_order_expiry_is_possible', $$order_expiry = '1 minute'$$),
  ('settings_order_expiry_is_possible', $$order_expiry = '31 days'$$),
  ('settings_orders_per_hour_is_positive', 'orders_per_hour = 0'),
  ('settings_orders_open_max_is_positive', 'orders_open_max = 0'),
  ('settings_task_writes_per_minute_is_positive', 'task_writes_per_minute = 0'),
  ('settings_unreferenced_bytes_max_is_positive', 'unreferenced_bytes_max = 0');

-- When an operator changes one setting
select throws_ok(
  'update app.settings set ' || change,
  '23514',
  format('new row for relation "settings" violates check constraint "%s"', constraint_name),
  'refuses ' || change
)
from refused;
select lives_ok(
  $$
    update app.settings
    set
      anonymous_bytes_max = 1, api_key_writes_per_minute = 1, asset_bytes_max = 1,
      asset_grace = '10 minutes', asset_max_bytes = 1, asset_max_pixels = 1,
      asset_uploads_per_minute = 1, client_address_header = 'x-real-ip', drama_assets_per_day = 1,
      drama_writes_per_minute = 1, dramas_per_day = 1, export_max_bytes = 1,
      exports_at_once = 1, exports_per_day = 1, job_lease = '3 seconds',
      job_retention = '1 second', job_retries_per_hour = 1, public_row_bytes_max = 1,
      public_shares_max = 0, requests_at_once = 0, run_steps_max = 1,
      share_base_url = 'https://' || repeat('x', 492), share_writes_per_minute = 1,
      task_answer_deadline = '1 ms', task_retention = '1 ms', task_writes_per_minute = 1,
      unreferenced_bytes_max = 1
  $$,
  'accepts the smallest value of each setting'
);
select throws_ok(
  'insert into app.settings default values', '23505', null, 'refuses a second row of settings'
);
select bag_eq(
  $$
    select conname::text from pg_constraint
    where conrelid = 'app.settings'::regclass and contype = 'c'
  $$,
  'select distinct constraint_name from refused',
  'has a refused value in this file for each check of the table'
);

select * from finish();
rollback;
