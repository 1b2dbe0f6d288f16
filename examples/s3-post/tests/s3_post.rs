//! The program as a user runs it: its page is loaded, and its form sent as a browser would, to stores that verify it.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::process::Stdio;

use reqwest::multipart::{Form, Part};
use reqwest::redirect::Policy;
use sigv4_test_support::ministack::Ministack;
use sigv4_test_support::s3s::S3s;
use sigv4_test_support::{
    KEY, SECRET, TOKEN, assert_names_no_library_item, in_time, program, run, with_role,
};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

const PROGRAM: &str = env!("CARGO_BIN_EXE_s3-post");

/// The running program, its output, and the URL of its page.
struct Page {
    _child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    url: String,
}

impl Page {
    async fn start(command: &mut Command) -> Self {
        let mut child = command.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = in_time(stdout.next_line()).await.unwrap().expect("it did not start");
        assert!(first.starts_with("A page that uploads to http://127.0.0.1:"), "{first}");
        let url = first.split_once(" listens on ").unwrap().1.split(' ').next().unwrap().to_owned();
        let next = in_time(stdout.next_line()).await.unwrap().unwrap();
        assert!(next.starts_with("Next: open it in a browser"), "{next}");
        Self { _child: child, stdout, url }
    }

    /// The form's target, and its fields but the file.
    async fn form(&self) -> (String, Vec<(String, String)>) {
        let html = reqwest::get(&self.url).await.unwrap().text().await.unwrap();
        let attribute = |tag: &str, name: &str| {
            let value = tag.split_once(&format!(" {name}=\"")).unwrap().1.split('"').next().unwrap();
            value.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        };
        let form = html.lines().find(|line| line.starts_with("<form ")).unwrap();
        assert!(form.contains("method=\"post\" enctype=\"multipart/form-data\""), "{form}");
        let inputs = html.lines().filter(|line| line.contains("<input type=\"hidden\""));
        let fields = inputs.map(|input| (attribute(input, "name"), attribute(input, "value"))).collect();
        // The file comes last.
        assert!(html.find("name=\"file\"") > html.rfind("type=\"hidden\""), "{html}");
        (attribute(form, "action"), fields)
    }

    /// Fills in the form and sends it. Status, Location and body of the response.
    async fn upload(&self, file: &[u8], change: (&str, &str)) -> (u16, Option<String>, String) {
        let (action, fields) = self.form().await;
        let mut form = Form::new();
        for (name, value) in fields {
            let value = if name == change.0 { change.1.to_owned() } else { value };
            form = form.text(name, value);
        }
        let form = form.part("file", Part::bytes(file.to_vec()).file_name("my cat.txt"));
        let client = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
        let response = client.post(action).multipart(form).send().await.unwrap();
        let location = response.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), location, response.text().await.unwrap())
    }
}

/// Uploads `my cat.txt` with this change to the form's fields, and tries what the form does not allow.
async fn verifies(mut page: Page, change: (&str, &str)) {
    let (status, location, body) = page.upload(b"meow", change).await;
    assert_eq!(status, 303, "{body}");
    let location = location.unwrap();
    assert!(location.starts_with(&format!("{}done?", page.url)), "{location}");
    let done = reqwest::get(location).await.unwrap().text().await.unwrap();
    assert!(done.contains("Uploaded") && done.contains("uploads/my cat.txt"), "{done}");
    // The third line of the output says how it is done in a program.
    let _ = in_time(page.stdout.next_line()).await.unwrap().unwrap();
    let listed = in_time(page.stdout.next_line()).await.unwrap().unwrap();
    assert!(listed.starts_with("uploaded: \"uploads/my cat.txt\""), "{listed}");

    for (file, change) in [
        (&b"meow"[..], ("key", "elsewhere/cat.txt")),
        (&b"meow"[..], ("success_action_redirect", "https://www.example.com/")),
        (&b"meow"[..], ("Content-Type", "image/png")),
        (&b"a file that is too long"[..], ("", "")),
    ] {
        let (status, _, body) = page.upload(file, change).await;
        assert!((400..500).contains(&status), "{change:?}: {status} {body}");
    }
}

const OPTIONS: [&str; 4] = ["--max-bytes", "10", "--content-type", "application/"];

#[tokio::test]
async fn s3s_takes_the_form_and_no_other() {
    let Some(s3s) = S3s::start("s3-post") else { return };
    let mut command = program(PROGRAM);
    command.envs([
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_REGION", "eu-west-1"),
    ]);
    // It does not know `${filename}`.
    let key = ("key", "uploads/my cat.txt");
    verifies(Page::start(command.arg(s3s.url("")).args(OPTIONS)).await, key).await;
    assert_eq!(s3s.stored("uploads/my cat.txt").as_deref(), Some(&b"meow"[..]));
    assert_eq!(s3s.stored("elsewhere/cat.txt"), None);
}

#[tokio::test]
async fn ministack_takes_the_form_and_no_other() {
    let Some(ministack) = Ministack::shared() else { return };
    let setup = &ministack.setup;
    let mut command = program(PROGRAM);
    command
        .env("AWS_ACCESS_KEY_ID", &setup.session.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", &setup.session.secret_access_key)
        .env("AWS_SESSION_TOKEN", setup.session.session_token.as_ref().unwrap())
        .args(["--region", &setup.region, &format!("{}/{}", setup.endpoint, setup.bucket)]);
    verifies(Page::start(command.args(OPTIONS)).await, ("", "")).await;
}

#[tokio::test]
async fn another_host_gets_no_form() {
    let page = Page::start(with_role(PROGRAM).arg("http://127.0.0.1:9/bucket")).await;
    let request = reqwest::Client::new().get(&page.url).header("host", "rebound.example.com");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 421);
    let text = response.text().await.unwrap();
    assert!(!text.contains("policy"), "{text}");
    // A token may be in the page, and nowhere else.
    let html = reqwest::get(&page.url).await.unwrap().text().await.unwrap();
    assert!(html.contains(TOKEN) && !html.contains(SECRET), "{html}");
}

#[tokio::test]
async fn bad_arguments_are_told_apart_from_failures() {
    let bad: [(&[&str], &str); 8] = [
        (&[], "<BUCKET_URL>"),
        (&["bucket"], "names no bucket"),
        (&["ftp://bucket"], "names no bucket"),
        (&["https://s3.eu-west-1.amazonaws.com/"], "names no bucket"),
        (&["https://s3.eu-west-1.amazonaws.com/bucket/key"], "names no bucket"),
        (&["https://bucket.s3.eu-west-1.amazonaws.com/?a"], "no query"),
        (&["https://bucket.s3.eu-west-1.amazonaws.com/", "--max-bytes", "0"], "1 is more than 0"),
        (&["https://bucket.s3.eu-west-1.amazonaws.com/", "--listen", "192.0.2.1:1"], "--listen 192.0.2.1:1"),
    ];
    for (arguments, message) in bad {
        let mut command = with_role(PROGRAM);
        let output = run(command
            .args(["--listen", "127.0.0.1:0"][..if arguments.contains(&"--listen") { 0 } else { 2 }].iter())
            .args(arguments))
        .await;
        assert_eq!((output.code, output.stdout.as_str()), (2, ""), "{arguments:?}: {}", output.stderr);
        assert!(output.stderr.contains(message), "{arguments:?}: {}", output.stderr);
        assert_names_no_library_item(&output.stderr);
    }
    let output = run(with_role(PROGRAM).env_remove("AWS_REGION").arg("http://127.0.0.1:9/bucket")).await;
    assert_eq!(output.code, 2);
    assert!(output.stderr.contains("--region NAME"), "{}", output.stderr);
    let output = run(program(PROGRAM).arg("https://bucket.s3.eu-west-1.amazonaws.com/")).await;
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("export AWS_ACCESS_KEY_ID"), "{}", output.stderr);
}
