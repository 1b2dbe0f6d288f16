//! `s3_upload`, against a store that verifies every chunk, against one that breaks off, and without one.

use std::io::Write;

use super::{ProgramOutput, example, run};

#[tokio::test]
async fn a_file_comes_back_as_it_was_sent() {
    let Some(s3s) = std::env::var_os("SIGV4_S3S_FS") else {
        let required = std::env::var_os("SIGV4_INTEROP_REQUIRED").is_some_and(|value| !value.is_empty());
        assert!(!required, "SIGV4_INTEROP_REQUIRED is set and SIGV4_S3S_FS is not");
        writeln!(std::io::stderr(), "skipped: s3_upload; set SIGV4_S3S_FS to an s3s-fs").unwrap();
        return;
    };
    // An empty file, one that fills its chunk, and one whose last chunk has one byte.
    for size in [0, 64 * 1024, 5 * 1024 * 1024 + 1] {
        let file = std::env::temp_dir().join(format!("s3_upload-test-{}-{size}", std::process::id()));
        std::fs::write(&file, vec![b'x'; size]).unwrap();
        let ProgramOutput { code, stdout, stderr } =
            run(example("s3_upload").env("SIGV4_S3S_FS", &s3s).arg(&file)).await;
        std::fs::remove_file(&file).unwrap();
        assert_eq!((code, stdout.trim()), (0, &*format!("the same {size} bytes came back")), "{stderr}");
    }
}

#[tokio::test]
async fn without_a_store_it_says_what_to_do() {
    let folder = std::env::temp_dir().join(format!("s3_upload-test-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut without = example("s3_upload");
    let none = run(without
        .envs([("SIGV4_S3S_FS", "/nonexistent".as_ref()), ("TMPDIR", folder.as_os_str())])
        .arg("Cargo.toml"))
    .await;
    // Fails if anything was left in it.
    std::fs::remove_dir(&folder).unwrap();
    assert_eq!(none.code, 1);
    assert!(none.stderr.contains("cargo install s3s-fs --features binary"), "{}", none.stderr);
    let unset =
        run(example("s3_upload").args(["Cargo.toml", "https://b.s3.us-east-1.amazonaws.com/k"])).await;
    assert_eq!(unset.code, 1);
    assert!(unset.stderr.contains("AWS_ACCESS_KEY_ID"), "{}", unset.stderr);
}
