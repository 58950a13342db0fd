import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.cert.CertificateFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** Java's HttpClient. Prints what it found, a line a step: its name, a tab, the finding. */
public class JavaClient {
    static String base, token;
    static HttpClient client;

    static void said(String name, Object finding) {
        System.out.println(name + "\t" + finding);
    }

    static String sha(byte[] bytes) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    }

    static HttpRequest.Builder to(String path) {
        return HttpRequest.newBuilder(URI.create(base + path));
    }

    static HttpResponse<String> get(String path) throws Exception {
        return client.send(to(path).build(), BodyHandlers.ofString());
    }

    /** A context that trusts one authority. */
    static SSLContext trusting(String file) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null);
        try (InputStream in = Files.newInputStream(Path.of(file))) {
            store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(in));
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }

    static String code(HttpResponse<String> answer) {
        return answer.body().replaceAll("(?s).*\"code\"\\s*:\\s*\"([^\"]*)\".*", "$1");
    }

    public static void main(String[] arguments) throws Exception {
        base = arguments[0];
        token = arguments[1];
        HttpClient.Builder builder = HttpClient.newBuilder().followRedirects(HttpClient.Redirect.NEVER);
        // Over cleartext HTTP_2 asks for an upgrade to h2c, which may be passed over.
        builder.version(arguments[3].equals("http2") ? HttpClient.Version.HTTP_2 : HttpClient.Version.HTTP_1_1);
        if (!arguments[2].isEmpty()) builder.sslContext(trusting(arguments[2]));
        client = builder.build();

        HttpResponse<String> hello = get("/open/hello");
        said("open", hello.statusCode() + " " + hello.body());
        HttpResponse<String> refused =
            client.send(to("/api/guarded").POST(BodyPublishers.ofString("{}")).build(), BodyHandlers.ofString());
        said("refused", refused.statusCode() + " " + refused.headers().firstValue("www-authenticate").isPresent()
            + " " + code(refused));
        HttpResponse<String> bad = client.send(
            to("/api/guarded").header("Authorization", "Bearer x.y.z").POST(BodyPublishers.ofString("{}")).build(),
            BodyHandlers.ofString());
        said("bad", bad.statusCode() + " " + code(bad));
        String body = "{\"delta\":-1}";
        HttpResponse<String> allowed = client.send(
            to("/api/guarded").header("Authorization", "Bearer " + token).POST(BodyPublishers.ofString(body)).build(),
            BodyHandlers.ofString());
        said("allowed", allowed.statusCode() + " " + allowed.body().equals(sha(body.getBytes())));
        byte[] upload = new byte[1 << 20];
        java.util.Arrays.fill(upload, (byte) 'u');
        HttpResponse<String> chunked = client.send(
            to("/api/guarded").header("Authorization", "Bearer " + token)
                .POST(BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(upload))).build(),
            BodyHandlers.ofString());
        said("upload", chunked.statusCode() + " " + chunked.body().equals(sha(upload)));
        HttpResponse<byte[]> large = client.send(to("/open/large").build(), BodyHandlers.ofByteArray());
        said("large", large.statusCode() + " " + large.body().length + " " + sha(large.body()));
        HttpResponse<InputStream> events = client.send(to("/open/events").build(), BodyHandlers.ofInputStream());
        long first = 0;
        StringBuilder text = new StringBuilder();
        byte[] piece = new byte[4096];
        for (int read; (read = events.body().read(piece)) > 0; ) {
            if (first == 0) first = System.nanoTime();
            text.append(new String(piece, 0, read));
        }
        said("events", (text.toString().split("data: ", -1).length - 1) + " " + (System.nanoTime() - first > 400_000_000L));
        HttpResponse<String> head =
            client.send(to("/open/large").method("HEAD", BodyPublishers.noBody()).build(), BodyHandlers.ofString());
        said("head", head.statusCode() + " " + head.headers().firstValue("content-length").orElse("") + " "
            + head.body().length());
        HttpResponse<String> empty = get("/open/empty");
        said("empty", empty.statusCode() + " " + empty.body().length());
        HttpResponse<String> moved = get("/open/moved");
        said("moved", moved.statusCode() + " " + moved.headers().firstValue("location").orElse(""));
        HttpResponse<byte[]> packed = client.send(to("/open/gzip").build(), BodyHandlers.ofByteArray());
        said("gzip", new String(
            new java.util.zip.GZIPInputStream(new ByteArrayInputStream(packed.body())).readAllBytes()));
        String query = "/open/query?x=%7B%22a%22%3A1%7D&list=a&list=b&slash=%2F+";
        said("query", get(query).body().equals(query));
        HttpResponse<InputStream> endless = client.send(to("/open/endless").build(), BodyHandlers.ofInputStream());
        endless.body().read();
        endless.body().close();
        said("after a break", get("/open/hello").statusCode());
        int good = 0;
        for (int number = 0; number < 200; number++) good += get("/open/hello").body().equals("hello") ? 1 : 0;
        var parallel = IntStream.range(0, 50)
            .mapToObj(number -> client.sendAsync(to("/open/hello").build(), BodyHandlers.ofString())).toList();
        for (CompletableFuture<HttpResponse<String>> answer : parallel) good += answer.get().body().equals("hello") ? 1 : 0;
        said("many", good);
        // Its threads would keep it for a while.
        System.exit(0);
    }
}
