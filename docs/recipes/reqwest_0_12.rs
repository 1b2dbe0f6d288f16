/// Signs a request of reqwest 0.12 whose body is in memory. The client must follow no redirects.
async fn sign(signer: &Signer, request: &mut reqwest_012::Request) -> Result<(), BoxError> {
    let payload = match request.body() {
        None => Payload::empty(),
        Some(body) => Payload::from(body.as_bytes().ok_or("the body is not in memory")?),
    };
    let uri = request.url().as_str().parse()?;
    let signed = signer.signed_headers(request.method(), &uri, request.headers(), payload).await?;
    request.headers_mut().extend(signed);
    Ok(())
}
