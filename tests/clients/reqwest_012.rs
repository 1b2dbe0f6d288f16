// Lines beyond the one: 10, the function `sign`.

use sigv4_middleware::{BoxError, Payload, Signer};

use crate::support::*;

// The recipe of the documentation of `Signer::signed_headers`.
include!("../../docs/recipes/reqwest_0_12.rs");

fn client() -> reqwest_012::Client {
    reqwest_012::Client::builder().redirect(reqwest_012::redirect::Policy::none()).build().unwrap()
}

#[tokio::test]
async fn call() -> TestResult {
    let gateway = gateway().await;
    let client = client();

    let url = format!("{}/orders?page=2", gateway.url());
    let mut request = client.post(url).header("x-amz-meta-a", "b").body("hello").build()?;
    sign(&signer(), &mut request).await?;
    let response = client.execute(request).await?;

    assert_eq!(response.text().await?, r#"{"message":"ok"}"#);
    let received = authorized(&gateway);
    assert_eq!((received.target.as_str(), &received.body[..]), ("/orders?page=2", &b"hello"[..]));
    assert!(received.header("authorization").unwrap().contains("x-amz-meta-a"));
    Ok(())
}

#[tokio::test]
async fn refused() -> TestResult {
    let client = client();
    let error = sign(&signer(), &mut client.get(DISALLOWED).build()?).await.unwrap_err();
    found(error.as_ref());

    // What is sent would not be what was signed; the error shows the query to send.
    let mut request = client.get("http://127.0.0.1:1/?a=b+c").build()?;
    let error = sign(&signer(), &mut request).await.unwrap_err();
    assert!(error.to_string().contains("a=b%20c"), "{error}");
    Ok(())
}
