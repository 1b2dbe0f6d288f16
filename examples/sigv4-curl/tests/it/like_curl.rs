//! The same command line to curl and to this program sends the same request, signature aside.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use sigv4_test_support::run;
use tokio::process::Command;

use crate::curl;
use crate::recorder::{Recorder, Request};

/// curl and its version; `None` where the machine has none.
async fn real_curl() -> Option<Command> {
    let found = Command::new("curl").arg("-V").stdout(Stdio::null()).status().await.is_ok();
    if !found {
        eprintln!("skipped: there is no curl to compare with");
        return None;
    }
    let mut command = Command::new("curl");
    // No settings of whoever runs the tests.
    command.arg("-q").env_clear();
    Some(command)
}

/// Headers that are this program's own, or curl's.
const OWN: [&str; 8] = [
    "authorization",
    "expect",
    "host",
    "user-agent",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-security-token",
    "connection",
];

/// What has to be the same: request line, headers sorted, body; boundaries of forms replaced.
fn comparable(request: &Request) -> String {
    let mut headers: Vec<_> = request
        .headers
        .iter()
        .filter(|(name, value)| !OWN.contains(&name.as_str()) || value == "mine")
        .collect();
    headers.sort();
    let text = format!("{}\n{headers:?}\n{}", strict(&request.line), String::from_utf8_lossy(&request.body));
    match text.split_once("boundary=").and_then(|(_, rest)| rest.split_once('"')) {
        Some((boundary, _)) => text.replace(boundary, "BOUNDARY"),
        None => text,
    }
}

/// A request is signed, and sent, with a query in strict form; curl's escapes differ from version to version.
fn strict(line: &str) -> String {
    let upper = |text: &str| {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            out += &format!("{before}%{}", after[..2].to_ascii_uppercase());
            rest = &after[2..];
        }
        out + rest
    };
    match line.split_once('?') {
        Some((path, query)) => format!("{path}?{}", upper(&query.replace('+', "%20").replace('é', "%C3%A9"))),
        None => line.to_owned(),
    }
}

/// A folder with the files that the command lines name.
fn folder() -> PathBuf {
    let folder = sigv4_test_support::temporary_file("like-curl");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("lines.txt"), "a=1\r\nb=2\n\nc").unwrap();
    fs::write(folder.join("text.txt"), "x y&z\n").unwrap();
    fs::write(folder.join("page.HTML"), "<p>").unwrap();
    fs::write(folder.join("data.bin"), [0, 255, 10, 13]).unwrap();
    fs::write(folder.join("headers"), "X-One: 1\nX-Two:2\n").unwrap();
    folder
}

#[tokio::test]
async fn requests_are_curls() {
    let Some(_) = real_curl().await else { return };
    let recorder = Recorder::start().await;
    let folder = folder();
    let cases: &[&[&str]] = &[
        &["/get"],
        &["/a/../b/./c#fragment"],
        &["/headers", "-H", "X-A: 1", "-H", "x-a:2", "-H", "X-Empty;", "-H", "@headers"],
        &["/accept", "-H", "Accept: text/plain", "-H", "User-Agent: mine"],
        &["/agent", "-A", "mine"],
        &["/delete", "-X", "DELETE"],
        &["/data", "-d", "-a=1", "-d", "b=2"],
        &["/empty", "-d", ""],
        &["/empty/between", "-d", "a", "-d", "", "-d", "b"],
        &["/stripped", "-d", "@lines.txt"],
        &["/raw", "--data-raw", "@lines.txt"],
        &["/ascii", "--data-ascii", "@lines.txt"],
        &["/binary", "--data-binary", "@lines.txt"],
        &["/bytes", "--data-binary", "@data.bin", "-H", "Content-Type: application/octet-stream"],
        &["/no/type", "-d", "x", "-H", "Content-Type:"],
        &["/order", "--data-raw", "1", "-d", "2", "--data-urlencode", "3 3", "--data-binary", "4", "-d", "5"],
        &["/patch", "-X", "PATCH", "-d", "@text.txt", "--data-raw", "@text.txt"],
        &[
            "/urlencode",
            "--data-urlencode",
            "a b&c",
            "--data-urlencode",
            "=x y=z",
            "--data-urlencode",
            "n=ü ~*'@",
            "--data-urlencode",
            "@text.txt",
            "--data-urlencode",
            "n@text.txt",
        ],
        &["/query?q=1", "-G", "-d", "a=1", "--data-urlencode", "b=x y+"],
        &["/query", "-G", "-d", "a%20b=c"],
        &["/query", "-G", "--data-urlencode", "é=ü&x"],
        &["/query", "-G", "-d", ""],
        &["/head", "-I"],
        &["/head", "-I", "-G", "-d", "a=1"],
        &["/json", "--json", "{\"a\":", "--json", "1}"],
        &["/json", "--json", "@lines.txt", "-H", "Accept: text/plain"],
        &["/json/data", "--json", "y", "-d", "x"],
        &["/data/json", "-d", "x", "--json", "y"],
        &["/put", "-T", "text.txt"],
        &["/put/", "-T", "text.txt"],
        &["", "-T", "text.txt"],
        &["/post", "-T", "text.txt", "-X", "POST"],
        &["/form", "-F", "a=1", "-F", "b=é"],
        &["/form", "-F", "f=@text.txt", "-F", "g=@page.HTML", "-F", "h=@data.bin", "-F", "i=@headers"],
        &["/form", "-F", "f=@text.txt;type=text/x;filename=\"n\\\"q;.bin\"", "-F", "g=<text.txt"],
        &["/form", "-F", "f=@text.txt;filename=x\"y.png", "-F", "t=x;type=text/y"],
        &["/form", "-F", "f=@text.txt;type=text/plain;charset=utf-8;filename=a"],
        &["/form", "-F", "f=@text.txt;headers=\"X-A: b\"", "-F", "q=\"b;c\"", "-F", "s= x ;type=text/y"],
        &["/form", "--form-string", "a=@b;type=x", "-F", "b=2", "--form-string", "c=\"3\""],
        &["/form", "-F", "a=1", "-X", "PUT", "-H", "X-A: b"],
        &["/compressed/not"],
        &["/last/wins", "-X", "PUT", "-X", "DELETE"],
    ];
    for case in cases {
        let (path, options) = case.split_first().unwrap();
        let url = format!("{}{path}", recorder.url);
        let mut theirs = real_curl().await.unwrap();
        theirs.args(["-s", "-S", "-m", "5"]).args(options.iter()).arg(&url).current_dir(&folder);
        let theirs = run(&mut theirs).await;
        let expected = recorder.take();
        let mut ours = curl(&["-s", "-S", "-m", "5"]);
        let ours = run(ours.args(options.iter()).arg(&url).current_dir(&folder)).await;
        let sent = recorder.take();

        assert_eq!(ours.code, theirs.code, "{case:?}: {} {}", ours.stderr, theirs.stderr);
        let [expected, sent] =
            [expected, sent].map(|requests| requests.iter().map(comparable).collect::<Vec<_>>());
        assert_eq!(expected.len(), 1, "{case:?}");
        assert_eq!(sent, expected, "{case:?}");
    }
}

#[tokio::test]
async fn the_body_of_the_standard_input_is_curls() {
    let Some(_) = real_curl().await else { return };
    let recorder = Recorder::start().await;
    for option in ["-d", "--data-binary", "--data-urlencode", "--json"] {
        let mut theirs = real_curl().await.unwrap();
        sigv4_test_support::run_with_input(theirs.args([option, "@-", &recorder.url]), b"a b\r\nc\n").await;
        let expected = recorder.take();
        sigv4_test_support::run_with_input(&mut curl(&[option, "@-", &recorder.url]), b"a b\r\nc\n").await;
        let sent = recorder.take();
        assert_eq!(comparable(&sent[0]), comparable(&expected[0]), "{option}");
    }
}
