-- app.note_attempt
--
-- Writes      orders, order_details
-- Locks       the caller holds the order
create or replace function app.note_attempt(
  order_id uuid,
  status text,
  kind text,
  reason text
)
  returns void
  language plpgsql
  volatile
  set search_path = ''
as $$
begin
  if note_attempt.status = 'declined' and note_attempt.kind in ('payment', 'capture') then
    update public.orders as o
    set status = 'failed', error = 'The payment was declined. Try again, or pay another way.'
    where o.id = note_attempt.order_id and o.status in ('created', 'opened');
  end if;
  -- The report is incomplete, or contradicts itself: Paymob is asked.
  if note_attempt.status in ('pending', 'parked')
    or note_attempt.reason in ('kind_unknown', 'hints_differ')
  then
    update app.order_details as d
    set next_inquiry_at = least(d.next_inquiry_at, app.now())
    where d.order_id = note_attempt.order_id;
  end if;
end
$$;

comment on function app.note_attempt(uuid, text, text, text) is
  'Stores the effect of a report that moves no money: the order of a declined payment fails, and '
  'Paymob is asked about an unclear report.';
