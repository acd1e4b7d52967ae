"""The section `kafka`: a broker with the rides in it, and all that is measured beside it."""
import bench_broker as broker
import bench_stateless as stateless


def bench(options):
    b = broker.Bench(options)
    try:
        b.make_few()
        rows = broker.start_rows(b) + stateless.first_rows(b, broker.FEW)
        rows += broker.drain_rows(b) + stateless.rows(b)
        return rows if options.skip_users else rows + broker.users_rows(b)
    finally:
        b.close()
