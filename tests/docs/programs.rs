//! The README's programs are taken out of it, built with the dependencies that it names, and run against an endpoint on
//! loopback that verifies signatures.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use axum::Router;
use axum::routing::{get, post};
use sigv4_middleware::IamGateway;
use sigv4_test_support::tls::{TlsFront, root_certificate_pem};
use sigv4_test_support::{ProgramOutput, in_time, role, run, with_role};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::sync::mpsc;

use crate::{blocks, read, repository};

const REGION: &str = "eu-west-1";
const HOST: &str = "abc123.execute-api.eu-west-1.amazonaws.com";

/// A program of the README, with the lines above it that add its dependencies.
struct Program<'t> {
    name: &'static str,
    code: &'t str,
    /// The features of each dependency.
    dependencies: BTreeMap<&'t str, Vec<&'t str>>,
}

fn programs(readme: &str) -> Vec<Program<'_>> {
    let mut found: Vec<Program<'_>> = Vec::new();
    for section in readme.split("\n## ") {
        let Some(code) = blocks(section, "rust").first().copied() else { continue };
        let mut dependencies = BTreeMap::new();
        for line in section.split("cargo add ").skip(1) {
            let line = line.split(['\n', '`']).next().unwrap();
            let (names, features) = line.split_once(" --features ").unwrap_or((line, ""));
            let names: Vec<&str> = names.split(' ').collect();
            let features: Vec<&str> = features.split(',').filter(|feature| !feature.is_empty()).collect();
            for name in &names {
                // Of several packages, each feature names its own.
                let own = |feature: &&&str| names.len() == 1 || feature.starts_with(&format!("{name}/"));
                let own = features.iter().filter(own).map(|feature| feature.split('/').next_back().unwrap());
                dependencies.insert(*name, own.collect());
            }
        }
        let name = match section.lines().next().unwrap() {
            "reqwest" => "reqwest",
            title if title.starts_with("tower") => "tower",
            // Beside those of the first program.
            title if title.contains("Lambda") => {
                let first = found.iter().find(|program| program.name == "reqwest").unwrap();
                dependencies.extend(first.dependencies.clone());
                "lambda"
            }
            title => panic!("a program without a test: {title}"),
        };
        found.push(Program { name, code, dependencies });
    }
    assert_eq!(found.len(), 3);
    found
}

/// The folder that the tests are built in, where most of what the programs need is built already.
fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap()
}

/// Writes a workspace with a package for each program, and builds it.
async fn build(programs: &[Program<'_>], folder: &Path) {
    let lock = read("Cargo.lock");
    // Packages are sorted by version, and the newest is what `cargo add` takes.
    let version = |name: &str| {
        let named = format!("\nname = \"{name}\"\n");
        let package = lock.split("[[package]]").filter(|text| text.contains(&named)).last();
        let line = package.and_then(|text| text.lines().find_map(|line| line.strip_prefix("version = ")));
        line.unwrap_or_else(|| panic!("{name} is not in Cargo.lock")).to_owned()
    };
    // The profile of the repository, so that what is built already is used.
    let manifest = read("Cargo.toml");
    let profile: String = manifest.split("\n[").filter(|table| table.starts_with("profile.dev")).fold(
        String::new(),
        |mut all, table| {
            let _ = writeln!(all, "[{table}");
            all
        },
    );
    let names: Vec<_> = programs.iter().map(|program| program.name).collect();
    fs::create_dir_all(folder).unwrap();
    fs::write(
        folder.join("Cargo.toml"),
        format!("[workspace]\nresolver = \"3\"\nmembers = {names:?}\n\n{profile}"),
    )
    .unwrap();
    fs::write(folder.join("Cargo.lock"), &lock).unwrap();
    for program in programs {
        let mut manifest =
            format!("[package]\nname = \"readme-{}\"\nedition = \"2024\"\n\n[dependencies]\n", program.name);
        for (name, features) in &program.dependencies {
            let source = match *name {
                "sigv4-middleware" => format!("path = {:?}", repository("").canonicalize().unwrap()),
                name => format!("version = {}", version(name)),
            };
            let _ = writeln!(manifest, "{name} = {{ {source}, features = {features:?} }}");
        }
        fs::create_dir_all(folder.join(program.name).join("src")).unwrap();
        fs::write(folder.join(program.name).join("Cargo.toml"), manifest).unwrap();
        fs::write(folder.join(program.name).join("src/main.rs"), program.code).unwrap();
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.arg("build").arg("--quiet").current_dir(folder).env("CARGO_TARGET_DIR", target());
    assert!(cargo.status().await.unwrap().success(), "the README's programs do not build");
}

/// A proxy that has only one server, whatever host a client asks for.
async fn proxy_to(server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(client.read_u8().await?);
                }
                assert!(head.starts_with(format!("CONNECT {HOST}:443 ").as_bytes()));
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                let mut server = TcpStream::connect(server).await?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    address
}

/// A Lambda Runtime API with one event; what the function posts for it is sent on.
async fn runtime_api() -> (SocketAddr, mpsc::Receiver<String>) {
    let (posted, receiver) = mpsc::channel(1);
    let (event, events) = mpsc::channel(1);
    event.send(()).await.unwrap();
    let events = std::sync::Arc::new(tokio::sync::Mutex::new(events));
    let next = get(async move || {
        if events.lock().await.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
        let headers = [
            ("lambda-runtime-aws-request-id", "1"),
            ("lambda-runtime-deadline-ms", "4102444800000"),
            ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-1:111122223333:function:orders"),
        ];
        (headers, "\"7\"")
    });
    drop(event);
    let respond = post(async move |body: String| drop(posted.send(body).await));
    let app = Router::new()
        .route("/2018-06-01/runtime/invocation/next", next)
        .route("/2018-06-01/runtime/invocation/1/{outcome}", respond);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, receiver)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_readme_work_as_pasted() {
    let readme = read("README.md");
    let mut programs = programs(&readme);
    let gateway = IamGateway::builder().credentials(role()).region(REGION).start().await.unwrap();
    let tls = TlsFront::before(gateway.addr()).await;
    // The custom domain is the only thing that is not as pasted: a client without a proxy goes where its name leads.
    let tower = programs.iter_mut().find(|program| program.name == "tower").unwrap();
    let local =
        tower.code.replace("https://api.example.com/", &format!("https://localhost:{}/", tls.addr().port()));
    assert_ne!(local, tower.code);
    tower.code = &local;

    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme");
    build(&programs, &folder).await;
    let authority = folder.join("authority.pem");
    fs::write(&authority, root_certificate_pem()).unwrap();
    let proxy = format!("http://{}", proxy_to(tls.addr()).await);
    let command = |name: &str| {
        let path = target().join(format!("debug/readme-{name}{}", std::env::consts::EXE_SUFFIX));
        let mut command = with_role(path.to_str().unwrap());
        command.env("SSL_CERT_FILE", &authority).env("HTTPS_PROXY", &proxy);
        command
    };
    let succeeds = |output: ProgramOutput| {
        assert_eq!(output.code, 0, "{}", output.stderr);
        assert!(output.stdout.starts_with("200 OK ") && output.stdout.contains(r#"ok"#), "{}", output.stdout);
    };

    succeeds(run(&mut command("reqwest")).await);
    succeeds(run(&mut command("tower")).await);

    let (runtime, mut posted) = runtime_api().await;
    let mut function = command("lambda");
    function
        .env("AWS_LAMBDA_RUNTIME_API", runtime.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "orders")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/orders")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "2026/01/01/[$LATEST]0");
    let _function = function.spawn().unwrap();
    let response = in_time(posted.recv()).await.unwrap();
    assert_eq!(response, serde_json::json!(r#"{"message":"ok"}"#).to_string());

    let requests = gateway.requests();
    let received = requests.iter().map(|one| (one.target.as_str(), &one.body[..], one.status.as_u16()));
    let expected: [(&str, &[u8], u16); 3] =
        [("/prod/orders", b"", 200), ("/orders", br#"{"order":1}"#, 200), ("/prod/orders/7", b"", 200)];
    assert_eq!(received.collect::<Vec<_>>(), expected);
    for (at, host) in [(0, HOST), (2, HOST)] {
        assert_eq!(requests[at].header("host"), Some(host));
    }
}
