-- The parts of export_my_data from this module.
select
  app.register_export('dramas', 'app.export_dramas'),
  app.register_export('media_days', 'app.export_media_days');
