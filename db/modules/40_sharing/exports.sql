-- The parts of export_my_data from this module.
select app.register_export('shares', 'app.export_shares');
