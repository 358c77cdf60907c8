-- The sweep claims objects of abandoned uploads, and nothing that a version has.
begin;
select plan(7);

-- Given a draft, and a second upload of the same draft that ended before its registration
select public.publish_template_version(
  'demo', '1.0.0', tests.template_files('1.0.0'), tests.template_prompts('1.0.0'),
  status => 'draft'
);
select app.reserve_template_upload(
  'demo', '1.0.0', tests.template_files('1.0.0'), tests.template_prompts('1.0.0')
);
select tests.travel('61 minutes');
select is_empty(
  'select storage_path from worker.claim_template_uploads(100)',
  'claims no object that a draft has, whether artifact or prompt'
);
select is_empty(
  'select storage_path from app.template_uploads', 'forgets that these objects were reserved again'
);

-- Given an abandoned upload that one worker has claimed and not confirmed for eleven minutes
select app.reserve_template_upload(
  'demo', '2.0.0', jsonb_build_array(tests.template_files('2.0.0') -> 0), '[]'
);
select tests.travel('122 minutes');
create temporary table claims as
select 'first' as worker, c.* from worker.claim_template_uploads(100) as c;
select is_empty(
  'select storage_path from worker.claim_template_uploads(100)', 'claims no object twice'
);
select tests.travel('133 minutes');
insert into claims
select 'second' as worker, c.* from worker.claim_template_uploads(100) as c;
select is(
  (select string_agg(worker, ' ' order by worker) from claims),
  'first second',
  'claims an object again that its worker has not confirmed for ten minutes'
);
select ok(
  (
    select not worker.confirm_template_claim(storage_path, claim_id)
    from claims where worker = 'first'
  ),
  'confirms no claim that another worker has replaced'
);
select ok(
  (
    select worker.confirm_template_claim(storage_path, claim_id) from claims where worker = 'second'
  ),
  'confirms the last claim of an object'
);
select is(
  (
    select worker.forget_template_uploads(array[storage_path], claim_id)
    from claims where worker = 'first'
  ),
  0,
  'forgets no object for a claim that another worker has replaced'
);

select * from finish();
rollback;
