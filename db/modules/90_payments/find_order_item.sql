-- app.find_order_item
--
-- Errors      PT404 item_not_found, PT422 order_kind_unknown
create or replace function app.find_order_item(kind text, item_id text)
  returns public.orders
  language plpgsql
  stable
  set search_path = ''
as $$
declare
  v_order public.orders;
begin
  v_order.kind := find_order_item.kind;
  v_order.item_id := find_order_item.item_id;
  case find_order_item.kind
    when 'plan' then
      select p.name, p.price_minor, p.currency, p.credits_per_period, p.period
      into
        v_order.item_name, v_order.amount_minor, v_order.currency, v_order.credits, v_order.period
      from public.plans as p
      where p.id = find_order_item.item_id and p.enabled and p.price_minor > 0;
    when 'credit_pack' then
      select c.name, c.price_minor, c.currency, c.credits
      into v_order.item_name, v_order.amount_minor, v_order.currency, v_order.credits
      from public.credit_packs as c
      where c.id = find_order_item.item_id and c.enabled and c.price_minor > 0;
    else
      perform app.fail(
        422,
        'order_kind_unknown',
        'kind must be plan or credit_pack.',
        'Send plan with the id of a plan, or credit_pack with the id of a credit pack.'
      );
  end case;
  if v_order.item_name is null then
    perform app.fail(
      404,
      'item_not_found',
      'Nothing with this id is for sale.',
      'Choose an enabled row with a price from plans or credit_packs.'
    );
  end if;

  return v_order;
end
$$;

comment on function app.find_order_item(text, text) is
$$Returns an order with the name, price, credits and period of what is for sale now, without id.

404 item_not_found: unknown, disabled, or without a price. 422 order_kind_unknown.$$;
