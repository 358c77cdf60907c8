-- One function tells a user all limits of their plan: get_media_limits also says how many bytes are used.
set local lock_timeout = '5s';

alter type public.media_limits
  add attribute bytes_stored bigint,
  add attribute bytes_used bigint,
  add attribute bytes_left bigint;
