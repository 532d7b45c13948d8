-- After the rows: indexes over loaded tables are built faster than they are kept up.
CREATE INDEX orders_open ON orders (placed_at) WHERE status IN ('new', 'paid', 'packed');
CREATE INDEX orders_customer ON orders (customer_id) INCLUDE (status);
CREATE INDEX customers_lower_name ON customers (lower(name));
CREATE INDEX customers_preferences ON customers USING gin (preferences jsonb_path_ops);
CREATE INDEX products_search ON products USING gin (search);
CREATE INDEX reviews_product_stars ON reviews (product_id, stars DESC);
CREATE INDEX stock_movements_at ON stock_movements USING brin (at);
CREATE INDEX audit_log_actor ON audit_log (actor);
CREATE UNIQUE INDEX oauth_logins_once ON oauth_logins (provider, subject, at);
REFRESH MATERIALIZED VIEW reporting.monthly_sales;
CREATE UNIQUE INDEX monthly_sales_month ON reporting.monthly_sales (month);
ANALYZE;
