-- Names: how the names that nearly every row has are stored. The reverse, full_name, is in the baseline, because the view
-- receipts needs it.

-- Names that nearly every row has are stored as one character, in rows and in their unique index. short never changes: a
-- character, once assigned, keeps its meaning. Every other name is stored unchanged, with "=" in front if it could be taken
-- for a short one. The view receipts shows the full names. The lookup reads one object, because a CASE of eighteen branches
-- is built again for every statement that calls the function, which takes longer than to run it.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION sendpromptly.short(name text) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(pg_catalog.jsonb_object_field_text('{"stripe": "s", "shopify": "h", "access_unlock": "u", "credit_grant": "g", "seat_update": "e",
    "subscription_state_apply": "b", "access_revocation": "r", "credit_deduction": "d",
    "checkout.session.completed": "c", "invoice.paid": "i", "customer.subscription.deleted": "x",
    "customer.subscription.updated": "t", "charge.refunded": "f", "charge.dispute.created": "p", "orders/paid": "o",
    "orders/fulfilled": "l", "customers/create": "m", "checkouts/create": "k"}', name),
    CASE WHEN pg_catalog.length(name) OPERATOR(pg_catalog.=) 1 OR name OPERATOR(pg_catalog.^@) '=' THEN '=' OPERATOR(pg_catalog.||) name ELSE name END)
$$;
-- +goose StatementEnd

SELECT sendpromptly.allow('sendpromptly_operator', 'EXECUTE ON FUNCTION sendpromptly.short');
