package bloom;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.WindowedSerdes;
import org.apache.kafka.streams.processor.api.ContextualFixedKeyProcessor;
import org.apache.kafka.streams.processor.api.FixedKeyRecord;
import org.apache.kafka.streams.state.WindowStore;

/**
 * Counts booked appointments by tenant, therapist and minute of their own time, exactly once, with windows in RocksDB.
 *
 * The records of the bench are keyed by tenant and therapist already, so that nothing has to be shuffled. On the real topic, which is
 * keyed by appointment, a shuffle through a further topic would be needed. With a topic for results, the counts that changed are
 * written to it at every commit.
 * Arguments: bootstrap topic application folder threads [results].
 */
public final class WindowCounts {
    private static final JsonFactory JSON = new JsonFactory();
    private static final Duration MINUTE = Duration.ofMinutes(1);
    /** Nothing is late: the windows on the other side take whatever comes. */
    private static final Duration GRACE = Duration.ofDays(30);

    private WindowCounts() {}

    public static void main(String[] arguments) throws Exception {
        String results = arguments.length > 5 ? arguments[5] : null;
        StreamsBuilder builder = topology(arguments[1], results);
        KafkaStreams streams = new KafkaStreams(builder.build(), settings(arguments));
        CountDownLatch stopped = new CountDownLatch(1);
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.RUNNING) {
                System.out.println("started");
            } else if (now == KafkaStreams.State.ERROR) {
                System.out.println("failed");
                stopped.countDown();
            }
        });
        streams.start();
        stopped.await();
        System.exit(1);
    }

    private static StreamsBuilder topology(String topic, String results) {
        StreamsBuilder builder = new StreamsBuilder();
        KStream<byte[], byte[]> records = builder.stream(topic, Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()));
        KStream<byte[], byte[]> booked = records.processValues(Check::new);
        KGroupedStream<byte[], byte[]> groups = booked.groupByKey(Grouped.with(Serdes.ByteArray(), Serdes.ByteArray()));
        var counts = groups
            .windowedBy(TimeWindows.ofSizeAndGrace(MINUTE, GRACE))
            .count(Materialized.<byte[], Long, WindowStore<Bytes, byte[]>>as("counts")
                .withKeySerde(Serdes.ByteArray())
                .withValueSerde(Serdes.Long())
                .withRetention(GRACE.plus(MINUTE)));
        if (results != null) {
            var window = new WindowedSerdes.TimeWindowedSerde<>(Serdes.ByteArray(), MINUTE.toMillis());
            counts.toStream().to(results, Produced.with(window, Serdes.Long()));
        }
        return builder;
    }

    /** The tenant and the therapist of a booked appointment, as the record's key would have them; null for other events. */
    private static byte[] groupOf(Headers headers, byte[] body) {
        if (!"appointment.booked.v1".equals(text(headers, "ce_type"))) {
            return null;
        }
        return (text(headers, "ce_tenantid") + "|" + field(body, "therapist_id")).getBytes(StandardCharsets.UTF_8);
    }

    private static String text(Headers headers, String name) {
        return new String(headers.lastHeader(name).value(), StandardCharsets.UTF_8);
    }

    private static String field(byte[] body, String wanted) {
        try (JsonParser parser = JSON.createParser(body)) {
            while (parser.nextToken() != null) {
                if (parser.currentToken() == JsonToken.FIELD_NAME && parser.currentName().equals(wanted)) {
                    return parser.nextTextValue();
                }
            }
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        throw new IllegalArgumentException("an event without " + wanted);
    }

    /** Passes on booked appointments whose key is their group. */
    private static final class Check extends ContextualFixedKeyProcessor<byte[], byte[], byte[]> {
        private static final byte[] ONE = {1};

        @Override
        public void process(FixedKeyRecord<byte[], byte[]> record) {
            byte[] group = groupOf(record.headers(), record.value());
            if (group != null) {
                if (!Arrays.equals(group, record.key())) {
                    throw new IllegalArgumentException("a record that is not keyed by its group");
                }
                context().forward(record.withValue(ONE));
            }
        }
    }

    private static Properties settings(String[] arguments) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, arguments[2]);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, arguments[3]);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, arguments[4]);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, "1");
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, "67108864");
        settings.put("auto.offset.reset", "earliest");
        settings.put("max.poll.records", "2000");
        return settings;
    }
}
