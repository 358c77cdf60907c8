-- The parts of export_my_data from this module.
select
  app.register_export('credit_grants', 'app.export_credit_grants'),
  app.register_export('credit_holds', 'app.export_credit_holds'),
  app.register_export('credit_entries', 'app.export_credit_entries'),
  app.register_export('credit_periods', 'app.export_credit_periods');
