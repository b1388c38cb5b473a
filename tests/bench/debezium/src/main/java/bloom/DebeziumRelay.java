package bloom;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import io.debezium.embedded.Connect;
import io.debezium.engine.DebeziumEngine;
import io.debezium.engine.format.ChangeEventFormat;
import io.debezium.engine.RecordChangeEvent;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.source.SourceRecord;

/**
 * Reads inserts into the outbox table from PostgreSQL's write-ahead log and produces each row to its topic, as the relay does:
 * idempotent producer, acks=all, all acknowledgements of a batch awaited before the log position moves.
 * Arguments: host port user database bootstrap slot. The password comes from BENCH_PASSWORD.
 */
public final class DebeziumRelay {
    private static final ObjectReader HEADERS = new ObjectMapper().readerForMapOf(String.class);

    private DebeziumRelay() {}

    public static void main(String[] arguments) throws Exception {
        KafkaProducer<byte[], byte[]> producer = producer(arguments[4]);
        DebeziumEngine<RecordChangeEvent<SourceRecord>> engine = DebeziumEngine.create(ChangeEventFormat.of(Connect.class))
            .using(connector(arguments))
            .using((success, message, error) -> {
                System.out.println("stopped: " + message);
                System.exit(success ? 0 : 1);
            })
            .using(new DebeziumEngine.ConnectorCallback() {
                @Override public void taskStarted() {
                    System.out.println("started");
                }
            })
            .notifying((records, committer) -> {
                List<Future<RecordMetadata>> sent = new ArrayList<>(records.size());
                try {
                    for (RecordChangeEvent<SourceRecord> event : records) {
                        ProducerRecord<byte[], byte[]> record = toRecord(event.record());
                        if (record != null) {
                            sent.add(producer.send(record));
                        }
                    }
                    for (Future<RecordMetadata> one : sent) {
                        one.get();
                    }
                } catch (ExecutionException | IOException error) {
                    throw new IllegalStateException(error);
                }
                for (RecordChangeEvent<SourceRecord> event : records) {
                    committer.markProcessed(event);
                }
                committer.markBatchFinished();
            })
            .build();
        engine.run();
    }

    private static ProducerRecord<byte[], byte[]> toRecord(SourceRecord source) throws IOException {
        if (!(source.value() instanceof Struct change) || change.schema().field("after") == null || change.getStruct("after") == null) {
            return null;
        }
        Struct row = change.getStruct("after");
        ProducerRecord<byte[], byte[]> record =
            new ProducerRecord<>(row.getString("topic"), null, row.getInt64("timestamp_ms"), bytes(row, "key"), bytes(row, "payload"));
        HEADERS.<Map<String, String>>readValue(row.getString("headers")).forEach(
            (name, value) -> record.headers().add(name, value.getBytes(StandardCharsets.UTF_8)));
        return record;
    }

    private static byte[] bytes(Struct row, String field) {
        Object value = row.get(field);
        if (value instanceof ByteBuffer buffer) {
            byte[] copy = new byte[buffer.remaining()];
            buffer.duplicate().get(copy);
            return copy;
        }
        return (byte[]) value;
    }

    private static KafkaProducer<byte[], byte[]> producer(String bootstrap) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("acks", "all");
        settings.put("enable.idempotence", "true");
        settings.put("linger.ms", "2");
        settings.put("batch.size", "262144");
        return new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
    }

    private static Properties connector(String[] arguments) {
        Properties settings = new Properties();
        settings.put("name", "outbox");
        settings.put("topic.prefix", "bench");
        settings.put("connector.class", "io.debezium.connector.postgresql.PostgresConnector");
        settings.put("offset.storage", "org.apache.kafka.connect.storage.MemoryOffsetBackingStore");
        settings.put("offset.flush.interval.ms", "1000");
        settings.put("database.hostname", arguments[0]);
        settings.put("database.port", arguments[1]);
        settings.put("database.user", arguments[2]);
        settings.put("database.password", System.getenv("BENCH_PASSWORD"));
        settings.put("database.dbname", arguments[3]);
        settings.put("plugin.name", "pgoutput");
        settings.put("slot.name", arguments[5]);
        settings.put("publication.name", arguments[5]);
        settings.put("publication.autocreate.mode", "filtered");
        settings.put("table.include.list", "public.outbox");
        settings.put("snapshot.mode", "no_data");
        settings.put("skipped.operations", "u,d,t");
        settings.put("tombstones.on.delete", "false");
        settings.put("max.batch.size", "2048");
        settings.put("max.queue.size", "8192");
        settings.put("poll.interval.ms", "5");
        return settings;
    }
}
