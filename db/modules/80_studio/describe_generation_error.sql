-- app.describe_generation_error
create or replace function app.describe_generation_error(slug text, message text)
  returns text
  language plpgsql
  immutable
  set search_path = ''
as $$
begin
  return case
    -- The handlers of the studio write these messages for users. All others are for operators.
    when describe_generation_error.slug ~ '^(original|image|analysis|prompt)_'
      and describe_generation_error.message <> ''
    then left(describe_generation_error.message, 500)
    when describe_generation_error.slug ~ '^provider_(busy|day_spent|timed_out|un)'
    then 'The image service is not available at the moment. You were not charged. Try again in a '
      'few minutes.'
    else 'Something went wrong on our side. You were not charged. Try again. If it fails again, '
      'tell the operator the run_id of the generation.'
  end;
end
$$;

comment on function app.describe_generation_error(text, text) is
  'Returns the sentence that a user reads as the error of a generation whose run failed with this '
  'slug and message.';
