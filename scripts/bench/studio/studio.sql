-- The competitor of process_image: the same arguments and a constant answer of the same form.
create function public.bench_trivial(
  tool_id uuid,
  tool_parameters jsonb,
  original_image_storage_path text
)
  returns jsonb
  language sql
  volatile
  set search_path = ''
return '{
  "generation_id": "70000000-0000-4000-8000-000000000001", "status": "pending", "cached": false,
  "url": null, "result": null, "credits": 10
}'::jsonb;
grant execute on function public.bench_trivial(uuid, jsonb, text) to authenticated;

-- Users with credits for the whole benchmark, a photo each, and no limits.
update public.plans set credits_per_period = 0, low_credits_at = null;
update app.settings
set
  storage_url = 'http://127.0.0.1:9/storage/v1', generations_open = 100000000,
  generations_per_day = 100000000;
