# What a client hears from a server whose database is not what it should be.
. "$(dirname "$0")/client.sh"

call 500 '"code":"internal_error"' /api/v1/result '{"provider_event_id":"evt_1","status":"success"}'
