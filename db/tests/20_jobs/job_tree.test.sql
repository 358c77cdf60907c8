-- job_tree and job_graph show a run as a tree and as a Mermaid flowchart.
begin;
select plan(8);

insert into job_types (name) values ('noop');
create temporary table known (ana uuid, ben uuid, run bigint);
insert into known (ana, ben)
select tests.create_user('ana@example.com'), tests.create_user('ben@example.com');
grant select on known to public;

-- Given a run in which a has completed, and b and c are running
update known set run = app.submit_run(
  '{"key": "root", "type": "group", "steps": [
    {"key": "a", "type": "noop"}, {"key": "b", "type": "noop", "depends_on": ["a"]},
    {"key": "g", "type": "group", "depends_on": ["a"], "steps": [{"key": "c", "type": "noop"}]}]}',
  ana, null);
select is(tests.claim_steps(), 'a', 'has one step running at first');
select tests.hand_in_result('a', '{"outcome": "completed", "output": "a"}', 5);

select tests.sign_in((select ben from known));
select throws_ok(
  'select job_tree((select run from known))',
  'PT404',
  'Job not found.',
  'job_tree answers 404 to another user'
);
select throws_ok(
  'select job_graph((select run from known))',
  'PT404',
  'Job not found.',
  'job_graph answers 404 to another user'
);
select tests.sign_in((select ana from known));
select is(
  job_tree((select run from known)) ->> 'progress',
  '0.3333',
  'job_tree returns the mean progress of the children as that of the parent'
);
select is(
  job_tree((select run from known))::jsonb #> '{children,2,children,0,status}', '"running"',
  'job_tree nests children, and shows a claimed step as running before its first heartbeat'
);
select ok(
  job_tree((select run from known))::jsonb #> '{children,0}'
    ?& array[
      'id', 'key', 'type', 'status', 'progress', 'created_at', 'started_at', 'finished_at', 'error',
      'children'
    ],
  'job_tree returns every documented field of a node'
);
select matches(
  job_graph((select run from known)), '^flowchart TD\n  s\d+\["root<br/>group"\]:::joining\n',
  'job_graph returns a Mermaid flowchart with the status of a job as class'
);
reset role;
select is(
  app.quote_label(e'end"]; <b>\n`'),
  'end#34;#93;#59; #60;b#62;#10;#96;',
  'job_graph escapes every character that Mermaid could interpret'
);

select * from finish();
rollback;
