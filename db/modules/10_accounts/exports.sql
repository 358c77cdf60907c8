-- The parts of export_my_data from this module.
select
  app.register_export('profile', 'app.export_profile'),
  app.register_export('api_keys', 'app.export_api_keys'),
  app.register_export('notifications', 'app.export_notifications');
