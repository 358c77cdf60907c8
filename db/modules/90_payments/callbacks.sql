-- The callbacks that the job engine calls for the runs that talk to Paymob.
select
  app.register_callbacks(
    'open_order',
    on_completed => 'app.record_opened_orders',
    on_run_ended => 'app.end_openings'
  ),
  app.register_callbacks('inquire_orders', on_completed => 'app.record_inquiries');
