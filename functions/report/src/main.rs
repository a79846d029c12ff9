//! Entry point of the Lambda function `report`.

#[tokio::main]
async fn main() -> Result<(), lambda_shell::Error> {
    lambda_shell::serve(report::handle).await
}
