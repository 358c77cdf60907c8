-- The part of export_my_data from this module.
select app.register_export('orders', 'app.export_orders');
